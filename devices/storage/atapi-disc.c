/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a CD drive tells of itself and of its disc: capacity, table of contents, disc and track
 * information, DVD structures, features and profiles, mode pages, events. Section numbers are those
 * of MMC-6 (T10/1836-D revision 2g).
 *
 * A disc is one session of one data track. What no CD can hold is a DVD.
 */
#include "atapi-private.h"

/* An 80 minute CD. */
#define CD_BLOCKS_MAX (80 * 60 * 75)
#define LEAD_OUT 0xaa
#define DATA_TRACK 0x14 /* ADR 1, data, no copy. */

#define PROFILE_CD 0x0008
#define PROFILE_DVD 0x0010

/* kB/s: 24x of a CD. */
#define SPEED (24 * 176)

static bool
is_dvd (const VtAtapiCd *cd)
{
  return vt_atapi_blocks (cd) > CD_BLOCKS_MAX;
}

/* Capacity and table of contents ------------------------------------------------------------------------ */

/* A block address in four bytes, or as minute, second and frame (4.2.3.5). */
static void
put_address (uint8_t *p, uint32_t lba, bool msf)
{
  uint32_t frames = MIN (lba, 99u * 60 * 75) + 150;

  if (!msf)
    {
      vt_atapi_put32 (p, lba);
      return;
    }
  p[0] = 0;
  p[1] = (uint8_t) (frames / (60 * 75));
  p[2] = (uint8_t) (frames / 75 % 60);
  p[3] = (uint8_t) (frames % 75);
}

static void
read_capacity (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t *data = vt_atapi_data (c, plan, 8, 8);

  vt_atapi_put32 (data, vt_atapi_blocks (cd) - 1);
  vt_atapi_put32 (data + 4, VT_CD_BLOCK);
}

/* 6.25.3.2 */
static void
formatted_toc (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, bool msf, uint32_t len)
{
  uint8_t  first = c->packet[6], *data, *at;
  unsigned n = first <= 1 ? 2 : 1;

  if (first > 1 && first != LEAD_OUT)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  at = data = vt_atapi_data (c, plan, 4 + 8 * n, len);
  vt_atapi_put16 (data, 2 + 8 * n);
  data[2] = data[3] = 1;
  if (n == 2)
    {
      at[5] = DATA_TRACK;
      at[6] = 1;
      put_address (at + 8, 0, msf);
      at += 8;
    }
  at[5] = DATA_TRACK;
  at[6] = LEAD_OUT;
  put_address (at + 8, vt_atapi_blocks (cd), msf);
}

/* 6.25.3.3 */
static void
session_info (const VtAtaCommand *c, VtAtaPlan *plan, bool msf, uint32_t len)
{
  uint8_t *data = vt_atapi_data (c, plan, 12, len);

  vt_atapi_put16 (data, 10);
  data[2] = data[3] = 1;
  data[5] = DATA_TRACK;
  data[6] = 1;
  put_address (data + 8, 0, msf);
}

/* 6.25.3.4: always in minutes, seconds and frames. */
static void
raw_toc (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, uint32_t len)
{
  static const uint8_t points[4] = { 0xa0, 0xa1, 0xa2, 1 };
  uint8_t             *data = vt_atapi_data (c, plan, 4 + 4 * 11, len);

  vt_atapi_put16 (data, 2 + 4 * 11);
  data[2] = data[3] = 1;
  for (unsigned i = 0; i < 4; i++)
    {
      uint8_t *at = data + 4 + 11 * i, msf[4];

      at[0] = 1;
      at[1] = DATA_TRACK;
      at[3] = points[i];
      if (i < 2)
        {
          at[8] = 1; /* First and last track. */
          continue;
        }
      put_address (msf, i == 2 ? vt_atapi_blocks (cd) : 0, true);
      memcpy (at + 8, msf + 1, 3);
    }
}

static void
read_toc (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     msf = (c->packet[1] & 2) != 0;
  uint32_t len = vt_atapi_be16 (c->packet + 7);
  unsigned format = c->packet[2] & 15;

  /* SFF-8020i had the format in the last byte, and old software has it there still. */
  if (format == 0)
    format = c->packet[9] >> 6;
  switch (format)
    {
    case 0:
      formatted_toc (cd, c, plan, msf, len);
      break;
    case 1:
      session_info (c, plan, msf, len);
      break;
    case 2:
      raw_toc (cd, c, plan, len);
      break;
    default:
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      break;
    }
}

/* READ SUB-CHANNEL, 6.24: the drive plays nothing. */
static void
read_subchannel (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     wanted = (c->packet[2] & 0x40) != 0;
  uint8_t *data;

  if (wanted && c->packet[3] != 1)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, wanted ? 16 : 4, vt_atapi_be16 (c->packet + 7));
  data[1] = 0x15; /* No audio status. */
  if (!wanted)
    return;
  vt_atapi_put16 (data + 2, 12);
  data[4] = 1;
  data[5] = DATA_TRACK;
  data[6] = data[7] = 1;
  put_address (data + 8, 0, (c->packet[1] & 2) != 0);
}

/* 6.21: a finished disc of one session. */
static void
disc_information (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t *data;

  if ((c->packet[1] & 7) != 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, 34, vt_atapi_be16 (c->packet + 7));
  vt_atapi_put16 (data, 32);
  data[2] = 0x0e; /* Complete; last session complete. */
  data[3] = data[4] = data[5] = data[6] = 1;
  data[7] = 0x20; /* Unrestricted use. */
  memset (data + 16, 0xff, 8); /* No more can be recorded. */
}

/* 6.26 */
static void
track_information (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint32_t where = vt_atapi_be32 (c->packet + 2);
  unsigned type = c->packet[1] & 3;
  bool     ok = type == 0 ? where < vt_atapi_blocks (cd) : type != 3 && where == 1;
  uint8_t *data;

  if (!ok)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, 36, vt_atapi_be16 (c->packet + 7));
  vt_atapi_put16 (data, 34);
  data[2] = data[3] = 1;
  data[5] = 4; /* Data, recorded uninterrupted. */
  data[6] = 1; /* Mode 1. */
  vt_atapi_put32 (data + 24, vt_atapi_blocks (cd));
}

/* READ DVD STRUCTURE, 6.22 -------------------------------------------------------------------------------- */

static void
dvd_structure (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint32_t len = vt_atapi_be16 (c->packet + 8);
  uint8_t *data;

  if (!is_dvd (cd))
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_WRONG_MEDIUM);
      return;
    }
  if ((c->packet[1] & 15) != 0 || c->packet[6] != 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  switch (c->packet[7])
    {
    case 0x00: /* Physical format: a pressed disc of one layer and 12 cm. */
      data = vt_atapi_data (c, plan, 4 + 2048, len);
      vt_atapi_put16 (data, 2 + 2048);
      data[4] = 0x01;
      data[5] = 0x0f; /* 120 mm; no maximum rate given. */
      data[6] = 0x01; /* One layer, parallel, embossed. */
      data[9] = 0x03; /* Data begins at sector 30000h. */
      vt_atapi_put32 (data + 12, 0x30000 + vt_atapi_blocks (cd) - 1);
      break;
    case 0x01: /* Copyright: none, all regions. */
      data = vt_atapi_data (c, plan, 8, len);
      vt_atapi_put16 (data, 6);
      break;
    case 0x04: /* Manufacturer. */
      data = vt_atapi_data (c, plan, 4 + 2048, len);
      vt_atapi_put16 (data, 2 + 2048);
      break;
    case 0xff: /* What can be asked for. */
      data = vt_atapi_data (c, plan, 4 + 3 * 4, len);
      vt_atapi_put16 (data, 2 + 3 * 4);
      for (unsigned i = 0; i < 3; i++)
        {
          static const uint8_t formats[3] = { 0x00, 0x01, 0x04 };

          data[4 + 4 * i] = formats[i];
          data[5 + 4 * i] = 0x40; /* Readable. */
          vt_atapi_put16 (data + 6 + 4 * i, formats[i] == 0x01 ? 8 : 4 + 2048);
        }
      break;
    default:
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      break;
    }
}

/* GET CONFIGURATION, 6.6, features of 5 --------------------------------------------------------------------- */

static unsigned
add_feature (uint8_t *at, unsigned code, unsigned version, bool persistent, bool current,
             const uint8_t *body, unsigned len)
{
  vt_atapi_put16 (at, code);
  at[2] = (uint8_t) (version << 2 | persistent << 1 | current);
  at[3] = (uint8_t) len;
  memcpy (at + 4, body, len);
  return 4 + len;
}

static void
get_configuration (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     in = vt_atapi_loaded (cd), dvd = is_dvd (cd);
  uint32_t first = vt_atapi_be16 (c->packet + 2);
  unsigned kind = c->packet[1] & 3, len = 8;
  uint8_t  profiles[8] = { PROFILE_DVD >> 8, PROFILE_DVD & 0xff, in && dvd, 0,
                           PROFILE_CD >> 8,  PROFILE_CD & 0xff,  in && !dvd, 0 };
  uint8_t  core[8] = { 0, 0, 0, 2, 1 };      /* ATAPI; no device busy events. */
  uint8_t  morphing[4] = { 2 };              /* Operational change events are not given. */
  uint8_t  removable[4] = { 0x29 };          /* Tray, ejects, locks. */
  uint8_t  random[8] = { 0, 0, VT_CD_BLOCK >> 8, 0, 0, 1, 0, 0 };
  uint8_t  none[4] = { 0 };
  struct
  {
    unsigned       code, version;
    bool           persistent, current;
    const uint8_t *body;
    unsigned       len;
  } features[] = {
    { 0x0000, 0, true, true, profiles, 8 },   { 0x0001, 2, true, true, core, 8 },
    { 0x0002, 1, true, true, morphing, 4 },   { 0x0003, 0, true, true, removable, 4 },
    { 0x0010, 0, false, in, random, 8 },      { 0x001e, 2, false, in && !dvd, none, 4 },
    { 0x001f, 1, false, in && dvd, none, 4 }, { 0x0100, 0, true, true, none, 0 },
    { 0x0105, 1, true, true, none, 4 },
  };
  uint8_t  all[8 + G_N_ELEMENTS (features) * 12] = { 0 };
  uint8_t *data;

  if (kind == 3)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  for (unsigned i = 0; i < G_N_ELEMENTS (features); i++)
    {
      bool wanted = kind == 0   ? features[i].code >= first
                    : kind == 1 ? features[i].code >= first && features[i].current
                                : features[i].code == first;

      if (wanted)
        len += add_feature (all + len, features[i].code, features[i].version,
                            features[i].persistent, features[i].current, features[i].body,
                            features[i].len);
    }
  vt_atapi_put32 (all, len - 4);
  vt_atapi_put16 (all + 6, !in ? 0 : dvd ? PROFILE_DVD : PROFILE_CD);
  data = vt_atapi_data (c, plan, len, vt_atapi_be16 (c->packet + 7));
  memcpy (data, all, len);
}

/* GET EVENT STATUS NOTIFICATION, 6.7 --------------------------------------------------------------------- */

static void
event_status (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     media = (c->packet[4] & 1 << 4) != 0;
  uint8_t *data;

  /* Asynchronous notification is not had. */
  if ((c->packet[1] & 1) == 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, media ? 8 : 4, vt_atapi_be16 (c->packet + 7));
  vt_atapi_put16 (data, media ? 4 : 0); /* What follows the header. */
  data[2] = media ? 4 : 0x80; /* The class, or "no event of what you asked for". */
  data[3] = 1 << 4;           /* Media events are all there are. */
  if (!media)
    return;
  data[4] = cd->state->event;
  data[5] = (uint8_t) (cd->state->open | vt_atapi_loaded (cd) << 1);
  /* An allocation too short for the event does not take it. */
  if (plan->data_len > 4)
    cd->state->event = VT_ATAPI_EVENT_NONE;
}

static void
mechanism_status (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t *data = vt_atapi_data (c, plan, 8, vt_atapi_be16 (c->packet + 8));

  data[1] = cd->state->open ? 0x10 : 0;
  data[5] = 1; /* One slot. */
}

/* Mode pages, 7 ---------------------------------------------------------------------------------------------- */

#define PAGES_MAX 128

static unsigned
add_page (uint8_t *at, uint8_t page, unsigned len, const uint8_t *body, unsigned body_len)
{
  at[0] = page;
  at[1] = (uint8_t) len;
  memcpy (at + 2, body, body_len);
  return 2 + len;
}

static unsigned
mode_pages (const VtAtapiCd *cd, uint8_t page, bool changeable, uint8_t *all)
{
  static const uint8_t recovery[] = { 0x00, 0x05 };                /* 7.3: five retries. */
  static const uint8_t cd_page[] = { 0, 0, 0, 60, 0, 75 };         /* 7.5: S per M, F per S. */
  static const uint8_t audio[] = { 4, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff };
  static const uint8_t timeout[] = { 0, 0, 0, 0, 0, 10, 0, 10 };
  static const uint8_t power[] = { 0 };
  uint8_t              caps[20] = {
    0x3b, 0x00, /* Reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM; writes nothing. */
    0x70, 0x00, /* Mode 2 forms 1 and 2, multi-session. */
    0x29,       /* Tray, ejects, locks. */
  };
  const struct
  {
    uint8_t        code, len;
    const uint8_t *body;
    unsigned       body_len;
  } pages[] = {
    { 0x01, 10, recovery, sizeof recovery }, { 0x0d, 6, cd_page, sizeof cd_page },
    { 0x0e, 14, audio, sizeof audio },       { 0x1a, 10, power, sizeof power },
    { 0x1d, 8, timeout, sizeof timeout },    { 0x2a, 20, caps, sizeof caps },
  };
  static const uint8_t fixed[20] = { 0 };
  unsigned             len = 0;

  if (cd->state->locked)
    caps[4] |= 2;
  vt_atapi_put16 (caps + 6, SPEED);
  vt_atapi_put16 (caps + 8, 2);   /* Volume levels. */
  vt_atapi_put16 (caps + 10, 512); /* Buffer, KiB. */
  vt_atapi_put16 (caps + 12, SPEED);
  for (unsigned i = 0; i < G_N_ELEMENTS (pages); i++)
    if (page == pages[i].code || page == 0x3f)
      len += add_page (all + len, pages[i].code, pages[i].len,
                       changeable ? fixed : pages[i].body, pages[i].body_len);
  return len;
}

/* The old medium type byte: SFF-8020i, but software still looks at it. */
static uint8_t
medium_type (const VtAtapiCd *cd)
{
  if (cd->state->open)
    return 0x71;
  return vt_atapi_loaded (cd) ? 0x01 : 0x70;
}

static void
mode_sense (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     ten = c->packet[0] == VT_MMC_MODE_SENSE_10;
  unsigned control = c->packet[2] >> 6, header = ten ? 8 : 4, len;
  uint8_t  pages[PAGES_MAX] = { 0 }, *data;

  if (control == 3)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_NO_SAVING);
      return;
    }
  len = mode_pages (cd, c->packet[2] & 0x3f, control == 1, pages);
  if (len == 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, header + len,
                        ten ? vt_atapi_be16 (c->packet + 7) : c->packet[4]);
  if (ten)
    {
      vt_atapi_put16 (data, header - 2 + len);
      data[2] = medium_type (cd);
    }
  else
    {
      data[0] = (uint8_t) (header - 1 + len);
      data[1] = medium_type (cd);
    }
  memcpy (data + header, pages, len);
}

static void
mode_select (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     ten = c->packet[0] == VT_MMC_MODE_SELECT_10;
  uint32_t len = ten ? vt_atapi_be16 (c->packet + 7) : c->packet[4];
  uint32_t drq = plan->drq;

  /* No page can be saved. */
  if ((c->packet[1] & 1) != 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  vt_atapi_good (c, plan);
  if (len == 0)
    return;
  vt_ata_data (plan, VT_ATA_OUT, plan->protocol, len);
  plan->drq = drq;
}

/* MODE SELECT's list has come: nothing in the pages can be changed, but a list that names pages that
 * there are, at their length, is accepted, as drives do. */
void
vt_atapi_selected (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  bool     ten = c->packet[0] == VT_MMC_MODE_SELECT_10;
  uint32_t header = ten ? 8 : 4, len = plan->data_len, at;

  vt_atapi_good (c, plan);
  if (len < header)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_PARAMETERS);
      return;
    }
  at = header + (ten ? vt_atapi_be16 (plan->data + 6) : plan->data[3]);
  while (at < len)
    {
      uint8_t pages[PAGES_MAX] = { 0 }, code = plan->data[at] & 0x3f;

      if (len - at < 2 || code == 0x3f || mode_pages (cd, code, false, pages) == 0 ||
          pages[1] != plan->data[at + 1] || len - at < 2u + pages[1])
        {
          vt_atapi_check (cd, c, plan, VT_SENSE_PARAMETER_FIELD);
          return;
        }
      at += 2u + pages[1];
    }
}

void
vt_atapi_tell (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  switch (c->packet[0])
    {
    case VT_MMC_READ_CAPACITY:
      read_capacity (cd, c, plan);
      break;
    case VT_MMC_READ_TOC:
      read_toc (cd, c, plan);
      break;
    case VT_MMC_READ_SUBCHANNEL:
      read_subchannel (cd, c, plan);
      break;
    case VT_MMC_READ_DISC_INFORMATION:
      disc_information (cd, c, plan);
      break;
    case VT_MMC_READ_TRACK_INFORMATION:
      track_information (cd, c, plan);
      break;
    case VT_MMC_READ_DVD_STRUCTURE:
      dvd_structure (cd, c, plan);
      break;
    case VT_MMC_GET_CONFIGURATION:
      get_configuration (cd, c, plan);
      break;
    case VT_MMC_GET_EVENT_STATUS:
      event_status (cd, c, plan);
      break;
    case VT_MMC_MECHANISM_STATUS:
      mechanism_status (cd, c, plan);
      break;
    case VT_MMC_MODE_SENSE_6:
    case VT_MMC_MODE_SENSE_10:
      mode_sense (cd, c, plan);
      break;
    case VT_MMC_MODE_SELECT_6:
    case VT_MMC_MODE_SELECT_10:
      mode_select (cd, c, plan);
      break;
    default:
      vt_atapi_check (cd, c, plan, VT_SENSE_OPCODE);
      break;
    }
}
