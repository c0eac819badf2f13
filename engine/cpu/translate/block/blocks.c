/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The store of translated code: see blocks.h.
 */
#include "blocks.h"

#include <cpuid.h>

#include "make.h"

/* BMI2 has the instructions that leave the flags alone. */
static bool
host_has_bmi2 (void)
{
  unsigned a, b, c, d;
  return __get_cpuid_count (7, 0, &a, &b, &c, &d) && (b & VT_BIT (8));
}

static void
written_cb (void *data, uint8_t *page)
{
  VtBlocks *b = data;

  g_mutex_lock (&b->lock);
  if (b->written->len < VT_BLOCKS_WRITTEN)
    g_ptr_array_add (b->written, page);
  else
    b->lost = true;
  g_mutex_unlock (&b->lock);
  vt_core_request (b->core, VT_CORE_CODE);
}

static void
watched_cb (void *data)
{
  VtBlocks *b = data;

  __atomic_store_n (&b->others, true, __ATOMIC_SEQ_CST);
  vt_core_request (b->core, VT_CORE_CODE);
}

static bool
settled_cb (void *data, uint64_t epoch)
{
  const VtBlocks *b = data;
  return __atomic_load_n (&b->settled, __ATOMIC_SEQ_CST) >= epoch;
}

VtBlocks *
vt_blocks_new (VtCore *core)
{
  VtBlocks *b;

  if (!host_has_bmi2 ())
    return NULL;
  b = g_new0 (VtBlocks, 1);
  if (!vt_executable_map (&b->area, "vitrine-code", VT_CACHE_BYTES,
                          VT_CACHE_DATA + VT_JUMP_SLOTS * sizeof (VtJumpSlot)))
    {
      g_free (b);
      return NULL;
    }
  b->core = core;
  b->emit = (VtEmit){ .write = b->area.write, .end = VT_CACHE_BYTES };
  ZydisDecoderInit (&b->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  b->guest = g_new0 (VtGuestInsn, VT_BLOCK_INSNS + 1);
  b->blocks = g_array_new (FALSE, FALSE, sizeof (VtBlock));
  b->insns = g_array_new (FALSE, FALSE, sizeof (VtBlockInsn));
  b->decoded = g_array_new (FALSE, FALSE, sizeof (VtInsn));
  b->links = g_array_new (FALSE, FALSE, sizeof (VtBlockLink));
  b->sources = g_byte_array_new ();
  b->pages = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_mutex_init (&b->lock);
  b->written = g_ptr_array_new ();
  b->settled = UINT64_MAX;
  b->signal_stack = g_malloc (VT_BLOCK_SIGNAL_STACK);
  b->watcher = (VtWatcher){
    .written = written_cb, .watched = watched_cb, .settled = settled_cb, .data = b
  };
  vt_trap_install ();
  vt_blocks_flush (b);
  vt_space_watcher_add (core->space, &b->watcher);
  return b;
}

void
vt_blocks_free (VtBlocks *b)
{
  if (b == NULL)
    return;
  vt_space_watcher_remove (b->core->space, &b->watcher);
  g_ptr_array_free (b->written, TRUE);
  g_mutex_clear (&b->lock);
  g_hash_table_destroy (b->pages);
  g_array_free (b->blocks, TRUE);
  g_array_free (b->insns, TRUE);
  g_array_free (b->decoded, TRUE);
  g_array_free (b->links, TRUE);
  g_byte_array_free (b->sources, TRUE);
  g_free (b->guest);
  g_free (b->signal_stack);
  vt_executable_unmap (&b->area);
  g_free (b);
}

void
vt_blocks_flush (VtBlocks *b)
{
  b->emit.at = 64; /* So that 0 is no place. */
  g_array_set_size (b->blocks, 0);
  g_array_set_size (b->insns, 0);
  g_array_set_size (b->decoded, 0);
  g_array_set_size (b->links, 0);
  memset (b->bucket, 0xff, sizeof b->bucket);
  g_hash_table_remove_all (b->pages);
  memset (b->barren, 0, sizeof b->barren);
  b->n_jump_modes = 0;
  vt_revive_begin (b);
  vt_sites_begin (b);
  vt_jump_slots_begin (b);
  b->counts.flushes++;
}

static uint32_t *
bucket_of (VtBlocks *b, const VtBlock *block)
{
  return vt_blocks_bucket (b, block->page, block->offset, block->mode, block->moves ? 0 : block->page_rip);
}

VtCodePage *
vt_blocks_page (VtBlocks *b, VtGpa gpa, uint8_t *page)
{
  VtCodePage *code = g_hash_table_lookup (b->pages, page);
  VtSpacePage found;

  if (code == NULL)
    {
      if (!vt_space_page (b->core->space, vt_core_memory (b->core), gpa, &found) || found.host != page)
        return NULL;
      code = g_new (VtCodePage, 1);
      *code = (VtCodePage){ .ram = found.ram, .offset = found.offset, .first = VT_NO_BLOCK,
                             .first_tail = VT_NO_BLOCK };
      g_hash_table_insert (b->pages, page, code);
      code->epoch = vt_ram_watch (b->core->space, code->ram, code->offset, &b->watcher);
      vt_mmu_drop_written (&b->core->mmu, page);
    }
  if (!code->settled)
    code->settled = vt_space_settled (b->core->space, code->epoch, &b->watcher);
  return code;
}

void
vt_blocks_enlist (VtBlocks *b, uint32_t n, VtCodePage *page)
{
  VtBlock  *block = vt_block (b, n);
  uint32_t *head = bucket_of (b, block);

  block->next_hash = *head;
  *head = n;
  block->next_page = page->first;
  page->first = n;
  b->core->fast.fresh = 1;
}

void
vt_blocks_add (VtBlocks *b, const VtBlock *block, VtCodePage *page, VtCodePage *tail)
{
  const uint32_t n = b->blocks->len;

  g_array_append_vals (b->blocks, block, 1);
  VtBlock *added = vt_block (b, n);
  vt_blocks_enlist (b, n, page);
  if (tail)
    {
      added->next_tail = tail->first_tail;
      tail->first_tail = n;
    }
}

static void
kill_block (VtBlocks *b, uint32_t n)
{
  VtBlock  *block = vt_block (b, n);
  uint32_t *at = bucket_of (b, block);
  VtEmit    entry = { .write = b->area.write, .at = block->near };

  if (block->dead)
    return; /* By its other page, or retired. */
  while (*at != n)
    at = &vt_block (b, *at)->next_hash;
  *at = block->next_hash;
  block->dead = true;
  vt_revive_keep (b, n);
  vt_emit_aim (&entry, vt_emit_jmp (&entry), block->dead_host);
  b->core->fast.fresh = 1;
}

void
vt_blocks_retire (VtBlocks *b, uint32_t n)
{
  vt_block (b, n)->n_seen = 0;
  kill_block (b, n);
}

void
vt_blocks_replace (VtBlocks *b, uint32_t n, uint32_t to)
{
  const VtBlock *from = vt_block (b, n), *block = vt_block (b, to);
  VtEmit         near = { .write = b->area.write, .at = from->near }, inner = { .write = b->area.write, .at = from->inner };

  vt_emit_aim (&near, vt_emit_jmp (&near), block->near);
  if (from->inner != from->near)
    vt_emit_aim (&inner, vt_emit_jmp (&inner), block->inner);
  b->core->fast.fresh = 1;
  b->counts.replaced++;
}

void
vt_blocks_page_written (VtBlocks *b, const uint8_t *page)
{
  VtCodePage *code = g_hash_table_lookup (b->pages, page);

  if (code == NULL)
    return;
  for (uint32_t n = code->first; n != VT_NO_BLOCK; n = vt_block (b, n)->next_page)
    kill_block (b, n);
  for (uint32_t n = code->first_tail; n != VT_NO_BLOCK; n = vt_block (b, n)->next_tail)
    kill_block (b, n);
  g_hash_table_remove (b->pages, page);
  memset (b->barren, 0, sizeof b->barren);
  b->counts.written++;
}

uint32_t
vt_blocks_insn_at (const VtBlocks *b, uint32_t host)
{
  uint32_t low = 0, high = b->insns->len;

  /* The last that begins at @host or before. */
  while (low < high)
    {
      const uint32_t middle = low + (high - low) / 2;
      if (vt_block_insn (b, middle)->host <= host)
        low = middle + 1;
      else
        high = middle;
    }
  return low ? low - 1 : VT_NO_BLOCK;
}
