/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the command line asks for, one word each: a test's name, or how to end. The last line is
 * "DONE n failed"; the process's exit status is what isa-debug-exit got.
 */
#include "guest.h"

/* The Xen PVH start_info structure, version 1, as far as it is used. */
typedef struct
{
  uint32_t magic, version, flags, n_modules;
  uint64_t modules, cmdline, rsdp;
} StartInfo;

#define START_MAGIC 0x336ec578u
#define COM1 0x3f8

typedef struct
{
  uint64_t address, size, cmdline, reserved;
} Module;

void main (const StartInfo *info);

static const StartInfo *start_info;

/* The boot tests give "VITRINE INITRD" and 100000 bytes more. */
static bool
test_initrd (void)
{
  const Module *module = (const Module *) (uintptr_t) start_info->modules;
  const char   *want = "VITRINE INITRD", *is;

  CHECK (start_info->n_modules == 1, start_info->n_modules);
  CHECK (module->size == 100014, module->size);
  is = (const char *) (uintptr_t) module->address;
  for (unsigned i = 0; want[i] != '\0'; i++)
    CHECK (is[i] == want[i], is[i]);
  CHECK (is[100013] == '!', is[100013]);
  return true;
}

void
print (const char *text)
{
  for (; *text != '\0'; text++)
    {
      while ((inb (COM1 + 5) & 0x20) == 0)
        relax ();
      outb (COM1, (uint8_t) *text);
    }
}

void
print_hex (uint64_t v, unsigned digits)
{
  char text[17];

  for (unsigned i = 0; i < digits; i++)
    text[i] = "0123456789abcdef"[(v >> (4 * (digits - 1 - i))) & 15];
  text[digits] = '\0';
  print (text);
}

bool
fail (const char *why, uint64_t value)
{
  print ("  not so: ");
  print (why);
  print (", value ");
  print_hex (value, 16);
  print ("\n");
  return false;
}

static const struct
{
  const char *name;
  bool (*run) (void);
} tests[] = {
  { "serial", test_serial },
  { "serials", test_serials },
  { "rtc", test_rtc },
  { "i8042", test_i8042 },
  { "pit", test_pit },
  { "hpet", test_hpet },
  { "pmtimer", test_pm_timer },
  { "lapic", test_lapic_timer },
  { "smp", test_smp },
  { "modes", test_modes },
  { "debugport", test_debug_port },
  { "smbus", test_smbus },
  { "pci", test_pci },
  { "rootports", test_root_ports },
  { "fwcfg", test_fw_cfg },
  { "acpi", test_acpi },
  { "initrd", test_initrd },
  { "vga", test_vga },
  { "bochs", test_bochs_display },
  { "ahci", test_ahci },
  { "ahciwrite", test_ahci_write },
  { "ncq", test_ncq },
  { "trim", test_trim },
  { "cdrom", test_cdrom },
  { "media", test_media },
  { "flash", test_flash },
  { "msi", test_msi },
  { "intx", test_intx },
  { "input", test_input },
  { "bench", test_bench },
  { "units", test_units },
  { "exceptions", test_exceptions },
  { "unitexceptions", test_unit_exceptions },
  { "paging", test_paging },
  { "segments", test_segments },
  { "syscalls", test_syscalls },
  { "registers", test_registers },
  { "steps", test_steps },
  { "breakpoints", test_breakpoints },
  { "arrival", test_arrival },
  { "nmi", test_nmi },
  { "gates", test_gates },
  { "doublefaults", test_double_faults },
  { "outwards", test_outwards },
  { "watcheddata", test_watched_data },
  { "debugregisters", test_debug_registers },
  { "watchedcode", test_watched_code },
  { "debugshadows", test_debug_shadows },
  { "singlesteps", test_single_steps },
  { "fastcallsteps", test_fast_call_steps },
  { "unitswitches", test_unit_switches },
  { "unitwaits", test_unit_waits },
  { "reservedbits", test_reserved_bits },
  { "levels", test_levels },
  { "contexts", test_contexts },
  { "implicit", test_implicit },
  { "canonical", test_canonical },
  { "apicregisters", test_apic_registers },
  { "apiccommands", test_apic_commands },
  { "apictimer", test_apic_timer },
  { "undefined", test_undefined },
  { "privileged", test_privileged },
  { "msrvalues", test_msr_values },
  { "smm", test_smm },
};

static bool
word_is (const char *word, const char *name)
{
  while (*name != '\0' && *word == *name)
    word++, name++;
  return *name == '\0' && (*word == ' ' || *word == '\0');
}

static void
debug_exit (uint8_t value)
{
  outb (0xf4, value);
}

/* S5 by the PM1 control register that every q35 firmware puts at 0x604. */
static void
power_off (void)
{
  outw (0x604, 0x2000);
}

/* CMOS byte 0x50 survives a warm reset: the second boot says so and goes on. */
static bool
second_boot (void)
{
  bool second;

  outb (0x70, 0x50);
  second = inb (0x71) == 0xa7;
  outb (0x70, 0x50);
  outb (0x71, second ? 0 : 0xa7);
  return second;
}

/* Tells what the keyboard sends, and powers off when the power button is pressed (PM1_STS's bit 8, at
 * 0x600 as every q35 firmware has it). */
static void
watch (void)
{
  for (;;)
    {
      uint8_t status = inb (0x64);

      if (status & 1)
        {
          uint8_t byte = inb (0x60);

          if (!(status & 0x20))
            {
              print ("KEY ");
              print_hex (byte, 2);
              print ("\n");
            }
        }
      if (inw (0x600) & 0x100)
        {
          print ("BUTTON\n");
          power_off ();
        }
      relax ();
    }
}

static void
end (const char *word)
{
  if (word_is (word, "poweroff"))
    power_off ();
  else if (word_is (word, "exit"))
    debug_exit (3);
  else if (word_is (word, "reset-cf9") && !second_boot ())
    outb (0xcf9, 0x06);
  else if (word_is (word, "reset-kbd") && !second_boot ())
    outb (0x64, 0xfe);
  else if (word_is (word, "reset-92") && !second_boot ())
    outb (0x92, 0x01);
  else if (word_is (word, "triple-fault"))
    {
      /* A page fault without an IDT. */
      static const char no_idt[10];

      __asm__ volatile ("lidt %0; movb 0x7f0000000000, %%al" : : "m"(no_idt) : "al");
    }
  else if (word_is (word, "breakpoint"))
    __asm__ volatile ("int3");
  else if (word_is (word, "watch"))
    watch ();
  else if (word_is (word, "not-emulated"))
    not_emulated ();
  else if (word_is (word, "hang"))
    for (;;)
      __asm__ volatile ("hlt");
}

void
main (const StartInfo *info)
{
  const char *word = (const char *) (uintptr_t) info->cmdline;
  unsigned    failed = 0;

  /* 115200 baud, 8N1, FIFOs on. */
  outb (COM1 + 3, 0x80);
  outb (COM1, 1);
  outb (COM1 + 1, 0);
  outb (COM1 + 3, 0x03);
  outb (COM1 + 2, 0x01);
  start_info = info;
  print ("GUEST\n");
  if (info->magic != START_MAGIC)
    {
      fail ("PVH start_info's magic", info->magic);
      debug_exit (99);
    }
  interrupts_init ();
  while (*word != '\0')
    {
      for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (word_is (word, tests[i].name))
          {
            bool ok;

            print (tests[i].name);
            print ("\n");
            ok = tests[i].run ();
            mask_all ();
            print (ok ? "PASS " : "FAIL ");
            print (tests[i].name);
            print ("\n");
            failed += !ok;
          }
      end (word);
      while (*word != ' ' && *word != '\0')
        word++;
      while (*word == ' ')
        word++;
    }
  print ("DONE ");
  print_hex (failed, 2);
  print (" failed\n");
  debug_exit ((uint8_t) failed);
  for (;;)
    __asm__ volatile ("hlt");
}

/* gcc may make calls of these from loops and assignments. */
void *memset (void *to, int c, size_t n);
void *memcpy (void *to, const void *from, size_t n);

void *
memset (void *to, int c, size_t n)
{
  void *at = to;

  __asm__ volatile ("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
  return to;
}

void *
memcpy (void *to, const void *from, size_t n)
{
  void *at = to;

  __asm__ volatile ("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
  return to;
}
