/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA core that every VGA-compatible device shares: registers, planar memory, text and graphics
 * modes, and the Bochs VBE extension. No bus: the device maps its ports and windows.
 *
 * IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (1992), which names the
 * registers by the short names used here: SR (sequencer), GR (graphics controller), CR (CRT
 * controller), AR (attribute controller).
 *
 * Video memory interleaves the planes: byte p of the n-th dword is plane p at address n. So a dword
 * is what the four planes give the serializer at once, and chain-4 modes are plain linear memory.
 *
 *   vga-regs.c      ports, protection, palette, retrace
 *   vga-memory.c    the legacy window: write modes, read modes, latches, chain 4, odd/even
 *   vga-window.c    giving the guest memory instead of exits where that is the same
 *   vga-core.c      life, and what the registers say is on the screen (VtVgaView)
 *   vga-text.c      drawing cells, reading the text
 *   vga-graphics.c  drawing lines
 */
#pragma once

#include "dispi.h"
#include "edid.h"
#include "screen.h"
#include "vt-device.h"

/* The legacy window, 0xA0000 to 0xBFFFF. */
#define VT_VGA_WINDOW UINT64_C (0xa0000)
#define VT_VGA_WINDOW_SIZE UINT64_C (0x20000)

/* Address space of one plane without the VBE extension. */
#define VT_VGA_PLANE_SIZE 0x10000

#define VT_VGA_MEMORY_MIN (256 * VT_KIB)

#define VT_VGA_N_SR 8
#define VT_VGA_N_GR 9
#define VT_VGA_N_CR 25
#define VT_VGA_N_AR 21

typedef struct
{
  uint32_t     latch; /* One byte per plane. */
  uint8_t      sr[VT_VGA_N_SR];
  uint8_t      gr[VT_VGA_N_GR];
  uint8_t      cr[VT_VGA_N_CR];
  uint8_t      ar[VT_VGA_N_AR];
  uint8_t      sr_index, gr_index, cr_index, ar_index;
  uint8_t      ar_data;  /* 0 or 1: the next write to 0x3C0 is data. */
  uint8_t      misc, feature;
  uint8_t      pel_mask;
  uint8_t      dac_read, dac_write, dac_component; /* Next entry; next of its three bytes. */
  uint8_t      dac_reading;                        /* 0 or 1: 0x3C7 was written last. */
  uint8_t      dac_cache[3];                       /* An entry is stored when its third byte comes. */
  uint8_t      palette[768];
  uint8_t      pad_[2];
  VtDispiState dispi;
} VtVgaState;

extern const VtStateDesc vt_vga_core_state;

typedef enum
{
  VT_VGA_BLANK,
  VT_VGA_TEXT,
  VT_VGA_PLANAR,     /* One bit per plane and dot. */
  VT_VGA_INTERLEAVE, /* CGA's two bits per dot. */
  VT_VGA_BYTES,      /* 256 colours. */
  VT_VGA_LINEAR,     /* Bochs VBE, 8 bits and more. */
} VtVgaKind;

/* How the address counter becomes an address. */
typedef enum
{
  VT_VGA_BYTE,
  VT_VGA_WORD,
  VT_VGA_DWORD,
  VT_VGA_FLAT, /* Bochs VBE: no wrap, no substitution. */
} VtVgaAddressing;

/* What the registers say is shown, worked out once per look; zeroed first, compared as bytes. */
typedef struct
{
  VtVgaKind       kind;
  int             width, height;   /* Dots and lines of the picture. */
  int             columns;         /* Character clocks in a line. */
  int             cell_width;      /* 8 or 9 dots. */
  int             double_dots;     /* 0 or 1: each dot twice. */
  int             row_lines;       /* Scan lines of a row before doubling, 1 to 32. */
  int             double_scan;     /* 0 or 1. */
  uint32_t        pitch;           /* Counters from row to row. */
  int             line_compare;    /* The last line before the split. */
  int             preset_row;
  int             pan;             /* Dots; already 0 to 8. */
  int             pan_in_split;    /* 0 or 1. */
  VtVgaAddressing addressing;
  int             wrap_15;         /* Word mode takes bit 15, not 13, round. */
  int             keep_13, keep_14; /* CR17: these bits are the counter's, not the row scan's. */
  int             nibbles;         /* 256-colour shift without the attribute controller's pairing. */
  /* Text. */
  uint32_t        font[2];         /* Plane 2 addresses; [1] for cells with attribute bit 3. */
  int             blink;           /* Attribute bit 7 blinks. */
  int             line_graphics;   /* Glyphs 0xC0 to 0xDF extend into the ninth dot. */
  int             underline;       /* Scan line, 31: none fits. */
  VtLinearMode    linear;
} VtVgaView;

/* What changes from look to look without making every cell another one. */
typedef struct
{
  uint32_t start;          /* Counter of the first character. */
  uint32_t cursor;         /* Counter where it is; UINT32_MAX: hidden. */
  int      cursor_first, cursor_last;
  int      blink_off;      /* 1: blinking characters are hidden. */
} VtVgaMoment;

typedef enum
{
  VT_VGA_MAP_NONE,
  VT_VGA_MAP_LINEAR,
  VT_VGA_MAP_TEXT_COLOUR, /* At 0xB8000. */
  VT_VGA_MAP_TEXT_MONO,   /* At 0xB0000. */
} VtVgaMap;

typedef struct
{
  VtVgaState *state;
  VtRam      *ram;
  uint8_t    *vram;
  uint64_t    vram_size; /* A power of two, VT_VGA_MEMORY_MIN at least. */
  VtClock    *clock;
  VtScreen    screen;
  VtEdidInfo  monitor;         /* The device may fill it before vt_vga_init(). */
  uint8_t     edid[VT_EDID_SIZE]; /* Follows what the viewer wishes; not saved: it is the host's. */

  /* Drawing. */
  bool        colours_stale;
  uint32_t    colours[256];    /* What a DAC index looks like. */
  uint32_t    attributes[16];  /* What a four-bit colour looks like. */
  VtVgaView   view;            /* At the last look. */
  VtVgaMoment moment;
  uint32_t   *cells;           /* What each cell on the screen shows. */
  size_t      n_cells;
  int         cursor_first, cursor_last; /* As drawn. */
  uint8_t     fonts[2][256 * 32];
  uint64_t    spread[256];     /* Bit 7 - n of the index in byte n. */

  /* Windows. */
  VtRegion *window;            /* Exits. */
  VtRegion *linear_region;     /* The first 64 KiB of video memory. */
  VtRam    *text_ram;          /* The characters and attributes as the guest sees them. */
  VtRegion *text_region;
  uint8_t  *text_seen;         /* What of it is in the planes already. */
  VtVgaMap  map_possible, mapped;
  unsigned  map_wish;          /* Exits that a mapping would have saved. */
} VtVgaCore;

/* vga-core.c: in realize. @state lies in the device's state; @ram is the device's, a power of two of
 * VT_VGA_MEMORY_MIN at least; @window_ops end in vt_vga_window_read() and _write(). */
bool vt_vga_init (VtVgaCore *core, VtDevice *dev, VtVgaState *state, VtRam *ram, VtConsole *console,
                  const VtRegionOps *window_ops, GError **error);
void vt_vga_finish (VtVgaCore *core);
void vt_vga_reset (VtVgaCore *core, VtResetKind kind);
void vt_vga_loaded (VtVgaCore *core);
/* Everything that the guest wrote is in video memory afterwards. */
void vt_vga_pause (VtVgaCore *core);

void vt_vga_view (const VtVgaCore *core, VtVgaView *view);
void vt_vga_moment (const VtVgaCore *core, const VtVgaView *view, VtVgaMoment *moment);

/* Bytes from the address counter @counter in row scan @scan to the dword's place in memory. */
uint64_t vt_vga_address (const VtVgaCore *core, const VtVgaView *view, uint32_t counter, int scan);

/* vga-regs.c: @port from 0x3b0 to 0x3df. */
uint8_t vt_vga_port_read (VtVgaCore *core, unsigned port);
void    vt_vga_port_write (VtVgaCore *core, unsigned port, uint8_t value);

/* The DISPI registers, with what their writes do to the rest. */
uint32_t vt_vga_dispi_port_read (VtVgaCore *core, unsigned port, unsigned size);
void     vt_vga_dispi_port_write (VtVgaCore *core, unsigned port, unsigned size, uint32_t value);
void     vt_vga_dispi_write (VtVgaCore *core, unsigned reg, uint16_t value);

/* vga-memory.c: @address in the legacy window. */
uint8_t vt_vga_memory_read (VtVgaCore *core, uint32_t address);
void    vt_vga_memory_write (VtVgaCore *core, uint32_t address, uint8_t value);

/* vga-window.c */
bool     vt_vga_window_init (VtVgaCore *core, VtDevice *dev, const VtRegionOps *ops, GError **error);
void     vt_vga_window_finish (VtVgaCore *core);
uint64_t vt_vga_window_read (VtVgaCore *core, uint64_t offset, unsigned size);
void     vt_vga_window_write (VtVgaCore *core, uint64_t offset, unsigned size, uint64_t value);
/* Some register that the window depends on has changed. */
void vt_vga_window_changed (VtVgaCore *core);
/* Brings what the guest wrote into a mapped text page to the planes. */
void vt_vga_window_sync (VtVgaCore *core);
/* Takes the mapping away; @sync: keeps what was written there. */
void vt_vga_window_unmap (VtVgaCore *core, bool sync);

/* vga-text.c, vga-graphics.c */
void  vt_vga_draw_text (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment,
                        bool redraw);
char *vt_vga_text (VtVgaCore *core);
void  vt_vga_draw_graphics (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment,
                            bool redraw);
