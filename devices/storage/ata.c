/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What ATA disks and ATAPI drives share: answers, identification data, transfer modes.
 */
#include "ata.h"

/* UDMA 6 and multiword DMA 2 are the fastest that exist; SATA ignores both. */
#define UDMA_MODES 0x7f
#define MWDMA_MODES 0x07

void
vt_ata_good (const VtAtaCommand *command, VtAtaPlan *plan)
{
  plan->action = VT_ATA_END;
  plan->status = VT_ATA_GOOD;
  plan->error = 0;
  plan->count = command->count;
  plan->lba = command->lba;
  plan->device = command->device;
}

void
vt_ata_abort (const VtAtaCommand *command, VtAtaPlan *plan, uint8_t error)
{
  vt_ata_good (command, plan);
  plan->status |= VT_ATA_ERR;
  plan->error = error;
}

uint8_t *
vt_ata_data (VtAtaPlan *plan, VtAtaAction action, VtAtaProtocol protocol, uint32_t len)
{
  g_free (plan->data);
  plan->action = action;
  plan->protocol = protocol;
  plan->data = g_malloc0 (MAX (len, 1));
  plan->data_len = len;
  plan->drq = 512;
  return plan->data;
}

void
vt_ata_plan_clear (VtAtaPlan *plan)
{
  g_clear_pointer (&plan->data, g_free);
  g_clear_pointer (&plan->ranges, g_free);
}

void
vt_ata_word (uint8_t *data, unsigned word, uint16_t value)
{
  vt_st16 (data + 2 * word, value);
}

void
vt_ata_text (uint8_t *data, unsigned word, unsigned n_words, const char *text)
{
  uint8_t *at = data + 2 * word;
  size_t   len = strlen (text);

  for (unsigned i = 0; i < 2 * n_words; i++)
    {
      char c = i < len ? text[i] : ' ';

      /* ATA text is graphic ASCII. */
      at[i ^ 1] = c >= 0x20 && c < 0x7f ? (uint8_t) c : '?';
    }
}

void
vt_ata_checksum (uint8_t *page)
{
  uint8_t sum = 0;

  for (unsigned i = 0; i < 511; i++)
    sum = (uint8_t) (sum + page[i]);
  page[511] = (uint8_t) -sum;
}

bool
vt_ata_mode_ok (uint8_t mode)
{
  switch (mode >> 3)
    {
    case 0: /* PIO default, with and without IORDY. */
      return mode <= 1;
    case 1: /* PIO 0 to 4. */
      return (mode & 7) <= 4;
    case 4:
      return (MWDMA_MODES >> (mode & 7) & 1) != 0;
    case 8:
      return (UDMA_MODES >> (mode & 7) & 1) != 0;
    default:
      return false;
    }
}

void
vt_ata_identify_modes (uint8_t *data, uint8_t mode)
{
  unsigned selected = 1u << (mode & 7) << 8;

  vt_ata_word (data, 63, (uint16_t) (MWDMA_MODES | (mode >> 3 == 4 ? selected : 0)));
  vt_ata_word (data, 64, 3); /* PIO 3 and 4. */
  for (unsigned i = 65; i <= 68; i++)
    vt_ata_word (data, i, 120); /* Cycle times, ns. */
  vt_ata_word (data, 88, (uint16_t) (UDMA_MODES | (mode >> 3 == 8 ? selected : 0)));
}
