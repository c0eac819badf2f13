/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop around translated code: finds or makes the block at RIP, runs it, and has the interpreter do
 * what came out of it.
 */
#include "../host/unit.h"
#include "../interpret/interpret.h"
#include "blocks.h"
#include "quick.h"

/* How many instructions are interpreted at a time in segments that are not translated. */
#define STRETCH 256u

typedef struct
{
  VtCore   *core;
  VtBlocks *b;
  uint64_t  budget, done;
  VtStep    step;
  bool      one; /* By the interpreter. */
  bool      resumed; /* RF was set at the entry, */
  uint64_t  entry;   /* which was here. */
} Run;

static bool
may_translate (const VtCore *core)
{
  return vt_mode_fits (core) && !(core->rflags & VT_FLAG_TF) && core->shadow == 0
         && !core->align_check && !vt_core_watches (core);
}

/* Translated pages have been written, or others have put pages under watch. */
static void
see_written (VtCore *core, VtBlocks *b)
{
  __atomic_fetch_and (&core->requests, ~VT_CORE_CODE, __ATOMIC_SEQ_CST);
  g_mutex_lock (&b->lock);
  for (guint i = 0; i < b->written->len && !b->lost; i++)
    vt_blocks_page_written (b, b->written->pdata[i]);
  if (b->lost)
    vt_blocks_flush (b);
  b->lost = false;
  g_ptr_array_set_size (b->written, 0);
  g_mutex_unlock (&b->lock);
  if (__atomic_exchange_n (&b->others, false, __ATOMIC_SEQ_CST))
    {
      const uint64_t epoch = vt_space_watch_epoch (core->space);
      vt_mmu_drop_watched (core);
      __atomic_store_n (&b->settled, epoch, __ATOMIC_SEQ_CST);
    }
}

/* Returns: whether there is something that ends the run. */
static bool
see_requests (VtCore *core, VtBlocks *b)
{
  const int requests = __atomic_load_n (&core->requests, __ATOMIC_RELAXED);

  if (G_LIKELY (requests == 0))
    return false;
  if (requests & VT_CORE_CODE)
    see_written (core, b);
  if (requests & VT_CORE_FLUSH)
    {
      __atomic_fetch_and (&core->requests, ~VT_CORE_FLUSH, __ATOMIC_SEQ_CST);
      vt_core_flush_asked (core);
    }
  return (__atomic_load_n (&core->requests, __ATOMIC_RELAXED) & ~(VT_CORE_CODE | VT_CORE_FLUSH)) != 0;
}

static void
interpret (Run *run, uint64_t n)
{
  uint64_t done = 0;

  run->step = vt_interpret (run->core, MIN (n, run->budget - run->done), &done);
  run->done += done;
  run->b->counts.interpreted += done;
  if (G_UNLIKELY (run->core->chaos))
    vt_chaos_between (run->core, run->b);
}

static void
interpret_decoded (Run *run, const VtInsn *insn)
{
  uint64_t done = 0;

  run->step = vt_interpret_decoded (run->core, insn, &done);
  run->done += done;
  run->b->counts.interpreted += done;
  if (G_UNLIKELY (run->core->chaos))
    vt_chaos_between (run->core, run->b);
}

/* The block at RIP, or NULL: its page can't be brought to the fetch TLB (which the interpreter's fetch may), or it
 * can't be translated. */
static VtBlock *
find (VtCore *core, VtBlocks *b, unsigned mode)
{
  VtSpot spot;

  vt_jump_update (b);
  if (!vt_find_spot (core, mode, core->rip, &spot))
    {
      /* Among the victims? */
      const uint64_t linear = core->code_bits == 64 ? core->rip
                                                    : (uint32_t) (core->seg[VT_CPU_CS].base + core->rip);
      const VtAccessSet set = core->cpl == 3 ? VT_SET_USER : VT_SET_KERNEL;
      if (!vt_mmu_find (vt_mmu_table (&core->mmu, set, VT_ACCESS_FETCH), linear & ~VT_PAGE_OFFSET)
          || !vt_find_spot (core, mode, core->rip, &spot))
        return NULL;
    }
  spot.code.last = vt_mode_last (mode);
  VtBlock *block = vt_find_block (b, &spot.code);
  if (block == NULL)
    block = vt_block_make (b, &spot.code, spot.gpa, spot.tail_gpa);
  if (block)
    vt_find_note (core, block, &spot);
  return block;
}

/* Lets safe points pass, where nothing is requested. */
static void
arm (VtCore *core)
{
  VtFast *fast = &core->fast;

  if (G_UNLIKELY (core->chaos) && vt_chaos_stops (core))
    {
      __atomic_store_n (&fast->poll, NULL, __ATOMIC_SEQ_CST);
      return;
    }
  if (G_LIKELY (__atomic_load_n (&fast->poll, __ATOMIC_RELAXED) != NULL)
      || __atomic_load_n (&core->requests, __ATOMIC_RELAXED))
    return;
  __atomic_store_n (&fast->poll, &core->requests, __ATOMIC_SEQ_CST);
  /* vt_core_request() writes the two in the other order: one that comes now is seen here, or writes last. */
  if (__atomic_load_n (&core->requests, __ATOMIC_SEQ_CST))
    __atomic_store_n (&fast->poll, NULL, __ATOMIC_SEQ_CST);
}

/* Of the x87, in the image: the opcode and place of its last instruction that was not about control, and of that one's last
 * operand in memory. The host's are none of the guest's business. */
#define X87_POINTERS 6u
typedef struct __attribute__ ((packed))
{
  uint16_t opcode;
  uint64_t rip, data;
} X87Pointers;

static void
note_x87 (const VtBlocks *b, X87Pointers *x87)
{
  const VtFast      *fast = &b->core->fast;
  const VtBlockInsn *insn = vt_block_insn (b, fast->x87_last >> VT_X87_OPCODE_BITS);

  x87->opcode = fast->x87_last & ((1u << VT_X87_OPCODE_BITS) - 1);
  const VtBlock *block = vt_block (b, insn->block);
  x87->rip = (block->moves ? fast->x87_page : block->page_rip) + insn->offset;
  x87->data = fast->x87_data;
}

static void
enter (Run *run, uint32_t host, bool units)
{
  VtCore   *core = run->core;
  VtBlocks *b = run->b;
  VtFast   *fast = &core->fast;

  arm (core);
  run->resumed = (core->rflags & VT_FLAG_RF) != 0;
  run->entry = core->rip;
  core->rflags &= ~VT_FLAG_RF;
  fast->flags = (core->rflags & VT_FLAGS_NATIVE) | VT_FLAG_FIXED;
  fast->load = units;
  vt_mode_enter (core);
  X87Pointers x87;
  memcpy (&x87, core->xsave + X87_POINTERS, sizeof x87);
  fast->x87_last = VT_X87_NONE;
  fast->x87_data = x87.data;
  b->counts.entries++;
  vt_block_enter (core, (uint64_t) (uintptr_t) (b->area.execute + host));
  vt_mmu_tell (&core->mmu);
  if (fast->x87_last != VT_X87_NONE)
    note_x87 (b, &x87);
  memcpy (core->xsave + X87_POINTERS, &x87, sizeof x87);
  core->rflags = (core->rflags & ~VT_FLAGS_NATIVE) | (fast->flags & VT_FLAGS_NATIVE);
}

/* Translated code has come to @rip. RF belongs to the first instruction, so that one that has not been executed has
 * it again. (A loop's may get it back, which is as harmless as it was.) */
static void
arrive (Run *run, uint64_t rip)
{
  run->core->rip = rip;
  if (G_UNLIKELY (run->resumed) && rip == run->entry)
    run->core->rflags |= VT_FLAG_RF;
  run->resumed = false;
}

/* It has come to @block's beginning. */
static void
begin (Run *run, const VtBlock *block)
{
  arrive (run, vt_block_page_rip (run->core, block) + block->offset);
}

/* Where translated code is entered: behind instruction @insn - 1, or at the block that begins with it. */
typedef struct
{
  uint32_t host; /* 0: nowhere. */
  uint32_t insn;
  bool     units;
} Entry;

static Entry
beginning (const VtBlock *block)
{
  return (Entry){ .host = block->near, .insn = block->first, .units = block->units };
}

/* Instruction @n, to which translated code has come from @from, is the interpreter's. Returns: where its block
 * goes on. */
static Entry
interpret_insn (Run *run, uint32_t n, const Entry *from)
{
  static const Entry nowhere;
  VtCore            *core = run->core;
  VtBlocks          *b = run->b;
  const VtBlockInsn  insn = *vt_block_insn (b, n), next = *vt_block_insn (b, n + 1);
  const VtBlock     *block = vt_block (b, insn.block);
  const uint64_t     page = vt_block_page_rip (core, block);
  const uint64_t     flushes = b->counts.flushes;
  const uint64_t     epoch = core->mmu.fetch_epoch + core->mmu.local_epoch;

  arrive (run, page + insn.offset);
  if (n != from->insn)
    run->done++; /* Those before it. */
  if (run->done >= run->budget || see_requests (core, b) || b->counts.flushes != flushes || block->dead)
    return nowhere;
  const VtInsn *decoded = vt_block_decoded (b, &insn);
  if (decoded)
    interpret_decoded (run, decoded);
  else
    interpret (run, 1);
  if (run->step != VT_STEP_DONE || run->done >= run->budget || next.offset == VT_NOT_REACHED
      || core->rip != page + next.offset
      || __atomic_load_n (&core->requests, __ATOMIC_RELAXED) || vt_core_awaited (core)
      || b->counts.flushes != flushes || core->mmu.fetch_epoch + core->mmu.local_epoch != epoch
      || !may_translate (core) || core->fast.code_key != vt_mode_code_key (core))
    return nowhere;
  block = vt_block (b, insn.block);
  if (block->dead || next.inside || (block->mode & ~VT_MODE_SINGLE) != vt_mode_of (core))
    return nowhere;
  return (Entry){ .host = next.host, .insn = n + 1, .units = block->units };
}

/* A jump from one block to another in its page. */
static void
follow (Run *run, uint32_t n)
{
  VtCore      *core = run->core;
  VtBlocks    *b = run->b;
  VtBlockLink *link = vt_block_link (b, n);
  const uint32_t from = link->block;
  const uint64_t flushes = b->counts.flushes;

  arrive (run, vt_block_page_rip (core, vt_block (b, from)) + link->target);
  if (link->patch == 0 || see_requests (core, b) || b->counts.flushes != flushes)
    return;
  VtBlock *block = find (core, b, link->mode);
  if (block == NULL)
    {
      /* The interpreter gets on: a block whose group fails would be found by the table of jumps again and again. */
      if (run->done < run->budget)
        interpret (run, 1);
      return;
    }
  if (b->counts.flushes != flushes || vt_block (b, from)->dead
      || block->page != vt_block (b, from)->page || block->moves != vt_block (b, from)->moves
      || (!block->moves && block->page_rip != vt_block (b, from)->page_rip))
    return;
  /* Code that uses the units has them from its block's beginning on. (What is written dies between two entries, so
   * that nobody comes to a dead block by this way.) */
  vt_emit_aim (&b->emit, vt_block_link (b, n)->patch,
               vt_block (b, from)->units ? block->inner : block->near);
  core->fast.fresh = 1;
}

/* Instruction @n accesses one page after another: its block is made anew for that, and does it next. */
static void
wander (Run *run, uint32_t n)
{
  VtCore           *core = run->core;
  VtBlocks         *b = run->b;
  const VtBlockInsn insn = *vt_block_insn (b, n);
  const VtBlock     old = *vt_block (b, insn.block);
  const uint64_t    page = vt_block_page_rip (core, &old), flushes = b->counts.flushes;

  run->done++;
  vt_wander (b, old.page, insn.offset);
  if (!old.dead)
    {
      vt_blocks_retire (b, insn.block);
      core->rip = page + old.offset;
      const VtBlock *block = find (core, b, old.mode);
      /* The map of memory may have changed meanwhile. */
      if (block && b->counts.flushes == flushes && block->page == old.page && block->tail == old.tail
          && block->moves == old.moves && (block->moves || block->page_rip == old.page_rip))
        vt_blocks_replace (b, insn.block, (uint32_t) (block - vt_block (b, 0)));
    }
  arrive (run, page + insn.offset);
}

/* Enters, and goes in again wherever the same block goes on. */
static void
run_block (Run *run, Entry entry)
{
  VtCore   *core = run->core;
  VtBlocks *b = run->b;

  while (entry.host)
    {
      const Entry from = entry;
      if (vt_block_insn (b, entry.insn)->leaves)
        {
          /* It would come out at once. */
          entry = interpret_insn (run, entry.insn, &from);
          continue;
        }
      enter (run, entry.host, entry.units);
      const uint32_t n = core->fast.exit & ((1u << VT_EXIT_SHIFT) - 1);
      entry.host = 0;
      switch (core->fast.exit >> VT_EXIT_SHIFT)
        {
        case VT_EXIT_LINK:
          run->done++;
          follow (run, n);
          break;
        case VT_EXIT_UNITS:
          begin (run, vt_block (b, n));
          entry = beginning (vt_block (b, n));
          break;
        case VT_EXIT_DEAD:
          begin (run, vt_block (b, n));
          break;
        case VT_EXIT_FAULT:
          entry = interpret_insn (
              run,
              vt_blocks_insn_at (b, (uint32_t) (core->fast.fault_at
                                                - (uint64_t) (uintptr_t) b->area.execute)),
              &from);
          break;
        case VT_EXIT_WANDERS:
          wander (run, vt_site_insn (core->fast.site));
          break;
        default:
          entry = interpret_insn (run, n, &from);
          break;
        }
    }
}

static void
loop (Run *run)
{
  VtCore   *core = run->core;
  VtBlocks *b = run->b;

  while (run->step == VT_STEP_DONE && run->done < run->budget && !see_requests (core, b)
         && !vt_core_awaited (core))
    {
      if (core->mp_state == VT_CPU_MP_HALTED)
        run->step = VT_STEP_HALTED;
      else if (run->one)
        interpret (run, 1);
      else if (!may_translate (core))
        interpret (run, vt_mode_fits (core) ? 1 : STRETCH);
      else
        {
          const unsigned mode = vt_mode_of (core);
          const VtBlock *block = vt_jump_find (b, mode, core->rip + vt_mode_code_key (core));
          if (block == NULL)
            block = find (core, b, mode);
          if (block)
            {
              core->fast.page_rip = core->rip - block->offset;
              run_block (run, beginning (block));
            }
          else
            interpret (run, 1);
        }
    }
}

bool
vt_translate_available (VtCore *core)
{
  if (core->never)
    return false;
  if (core->blocks == NULL)
    {
      core->blocks = vt_blocks_new (core);
      if (core->blocks == NULL)
        return false;
      core->fast.page_mask = ~VT_PAGE_OFFSET;
      core->fast.entry_mask = (VT_TLB_ENTRIES - 1) * sizeof (VtTlbEntry);
      core->fast.jump_mask = (VT_JUMPS - 1) * sizeof (VtJump) * VT_JUMP_WAYS;
      core->fast.sign_mask = VT_BIT (63);
      core->fast.window_mask = ~(uint64_t) (VT_SITE_WINDOW - 1);
      core->fast.no_if_mask = ~(uint64_t) VT_FLAG_IF;
      core->fast.no_ac_mask = ~(uint64_t) VT_FLAG_AC;
      core->fast.if_mask = VT_FLAG_IF;
      core->fast.native_mask = VT_FLAGS_NATIVE;
      core->fast.not_native_mask = ~(uint64_t) VT_FLAGS_NATIVE;
      core->fast.smap_mask = VT_CR4_SMAP;
      core->fast.leave = (uint64_t) (uintptr_t) vt_block_leave;
      core->fast.quick = (uint64_t) (uintptr_t) vt_block_quick;
      core->fast.features = vt_unit_features (core->unit) & ~VT_FEATURE_PKRU;
      core->fast.image = core->xsave;
      core->fast.absent = 1;
    }
  return true;
}

void
vt_translate_begin_writes (VtCore *core)
{
  VtBlocks *b = core->blocks;

  if (b == NULL)
    return;
  /* From here on this core writes past the watch of what is in its write tables, and must have seen to
   * that first: as of the epoch that is read before. */
  __atomic_store_n (&b->settled, 0, __ATOMIC_SEQ_CST);
  const uint64_t epoch = vt_space_watch_epoch (core->space);
  see_written (core, b);
  if (__atomic_load_n (&b->settled, __ATOMIC_RELAXED) == 0)
    __atomic_store_n (&b->settled, epoch, __ATOMIC_SEQ_CST);
}

void
vt_translate_end_writes (VtCore *core)
{
  if (core->blocks)
    __atomic_store_n (&core->blocks->settled, UINT64_MAX, __ATOMIC_SEQ_CST);
}

static VtStep
run_guest (VtCore *core, uint64_t budget, bool one, uint64_t *done)
{
  Run           run = { .core = core, .budget = budget, .step = VT_STEP_DONE, .one = one };
  VtBlockThread saved;

  if (!vt_translate_available (core))
    return vt_interpret (core, budget, done);
  run.b = core->blocks;
  if (G_UNLIKELY (core->chaos) && !one)
    run.budget = vt_chaos_budget (core, budget);
  vt_block_thread_enter (run.b, &saved);
  vt_translate_begin_writes (core);
  loop (&run);
  vt_translate_end_writes (core);
  vt_block_thread_leave (run.b, &saved);
  if (done)
    *done = run.done;
  return run.step;
}

VtStep
vt_translate (VtCore *core, uint64_t budget, uint64_t *done)
{
  return run_guest (core, budget, false, done);
}

VtStep
vt_translate_one (VtCore *core)
{
  return run_guest (core, 1, true, NULL);
}

void
vt_translate_counts (const VtCore *core, VtTranslateCounts *counts)
{
  *counts = core->blocks ? core->blocks->counts : (VtTranslateCounts){ 0 };
}
