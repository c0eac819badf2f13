/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of the q35 board's ACPI name space that never changes: host bridge, interrupt routing and
 * the fixed legacy devices. ACPI 6.0; PCI Firmware 3.2 for _OSC; Intel ICH9 (316972) for the routing.
 * What depends on a machine (windows, sleep states, CPUs, serial ports, HPET) is made at run time in
 * an SSDT by devices/acpi/ssdt.c.
 */
DefinitionBlock ("", "DSDT", 2, "VITRIN", "VTRNQ35", 0x00000001)
{
  /* 5.8.1: 0 while the interrupt controllers are the PIC pair, 1 with the I/O APIC. */
  Name (PICF, Zero)
  Method (_PIC, 1, NotSerialized)
  {
    PICF = Arg0
  }

  Scope (_SB)
  {
    Device (PCI0)
    {
      Name (_HID, EisaId ("PNP0A08"))
      Name (_CID, EisaId ("PNP0A03"))
      Name (_UID, Zero)
      Name (_SEG, Zero)
      Name (_BBN, Zero)

      /* PCI Firmware 4.5.1: the guest gets native hot plug, PME, AER and the capability structure;
       * there is no standard hot-plug controller. */
      Method (_OSC, 4, Serialized)
      {
        CreateDWordField (Arg3, 0, CDW1)
        If (Arg0 == ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
        {
          CreateDWordField (Arg3, 8, CDW3)
          Local0 = CDW3 & 0x1D
          If (Arg1 != One)
          {
            CDW1 |= 0x08
          }
          If (CDW3 != Local0)
          {
            CDW1 |= 0x10
          }
          CDW3 = Local0
        }
        Else
        {
          CDW1 |= 0x04
        }
        Return (Arg3)
      }

/* A slot's four pins. Slots 0 to 24 are on PIRQE to PIRQH, rotated; slots 25 to 31 follow the default
 * of the chip set's D25IR to D31IR registers: pin A on PIRQA to pin D on PIRQD. */
#define PINS(slot, a, b, c, d) \
        Package () { slot, 0, a, 0 }, Package () { slot, 1, b, 0 }, \
        Package () { slot, 2, c, 0 }, Package () { slot, 3, d, 0 }
#define GSIS(slot, a, b, c, d) \
        Package () { slot, 0, 0, a }, Package () { slot, 1, 0, b }, \
        Package () { slot, 2, 0, c }, Package () { slot, 3, 0, d }

      Name (PRTP, Package ()
      {
        PINS (0x0000FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0001FFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x0002FFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x0003FFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x0004FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0005FFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x0006FFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x0007FFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x0008FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0009FFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x000AFFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x000BFFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x000CFFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x000DFFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x000EFFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x000FFFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x0010FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0011FFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x0012FFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x0013FFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x0014FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0015FFFF, LNKF, LNKG, LNKH, LNKE),
        PINS (0x0016FFFF, LNKG, LNKH, LNKE, LNKF),
        PINS (0x0017FFFF, LNKH, LNKE, LNKF, LNKG),
        PINS (0x0018FFFF, LNKE, LNKF, LNKG, LNKH),
        PINS (0x0019FFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001AFFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001BFFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001CFFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001DFFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001EFFFF, LNKA, LNKB, LNKC, LNKD),
        PINS (0x001FFFFF, LNKA, LNKB, LNKC, LNKD)
      })

      Name (PRTA, Package ()
      {
        GSIS (0x0000FFFF, 20, 21, 22, 23),
        GSIS (0x0001FFFF, 21, 22, 23, 20),
        GSIS (0x0002FFFF, 22, 23, 20, 21),
        GSIS (0x0003FFFF, 23, 20, 21, 22),
        GSIS (0x0004FFFF, 20, 21, 22, 23),
        GSIS (0x0005FFFF, 21, 22, 23, 20),
        GSIS (0x0006FFFF, 22, 23, 20, 21),
        GSIS (0x0007FFFF, 23, 20, 21, 22),
        GSIS (0x0008FFFF, 20, 21, 22, 23),
        GSIS (0x0009FFFF, 21, 22, 23, 20),
        GSIS (0x000AFFFF, 22, 23, 20, 21),
        GSIS (0x000BFFFF, 23, 20, 21, 22),
        GSIS (0x000CFFFF, 20, 21, 22, 23),
        GSIS (0x000DFFFF, 21, 22, 23, 20),
        GSIS (0x000EFFFF, 22, 23, 20, 21),
        GSIS (0x000FFFFF, 23, 20, 21, 22),
        GSIS (0x0010FFFF, 20, 21, 22, 23),
        GSIS (0x0011FFFF, 21, 22, 23, 20),
        GSIS (0x0012FFFF, 22, 23, 20, 21),
        GSIS (0x0013FFFF, 23, 20, 21, 22),
        GSIS (0x0014FFFF, 20, 21, 22, 23),
        GSIS (0x0015FFFF, 21, 22, 23, 20),
        GSIS (0x0016FFFF, 22, 23, 20, 21),
        GSIS (0x0017FFFF, 23, 20, 21, 22),
        GSIS (0x0018FFFF, 20, 21, 22, 23),
        GSIS (0x0019FFFF, 16, 17, 18, 19),
        GSIS (0x001AFFFF, 16, 17, 18, 19),
        GSIS (0x001BFFFF, 16, 17, 18, 19),
        GSIS (0x001CFFFF, 16, 17, 18, 19),
        GSIS (0x001DFFFF, 16, 17, 18, 19),
        GSIS (0x001EFFFF, 16, 17, 18, 19),
        GSIS (0x001FFFFF, 16, 17, 18, 19)
      })

      Method (_PRT, 0, NotSerialized)
      {
        If (PICF)
        {
          Return (PRTA)
        }
        Return (PRTP)
      }

      /* The LPC bridge at 00:1f.0. */
      Device (LPC)
      {
        Name (_ADR, 0x001F0000)

        /* ICH9 13.1.17, 13.1.18: PIRQn_ROUT. Bit 7 disables; bits 3 to 0 are the PIC's input. */
        OperationRegion (ROUT, PCI_Config, 0x60, 0x0C)
        Field (ROUT, ByteAcc, NoLock, Preserve)
        {
          PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8,
          Offset (0x08),
          PRQE, 8, PRQF, 8, PRQG, 8, PRQH, 8
        }

        Device (RTC)
        {
          Name (_HID, EisaId ("PNP0B00"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
            IRQNoFlags () {8}
          })
        }

        Device (KBD)
        {
          Name (_HID, EisaId ("PNP0303"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
            IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
            IRQNoFlags () {1}
          })
        }

        Device (MOU)
        {
          Name (_HID, EisaId ("PNP0F13"))
          Name (_CRS, ResourceTemplate ()
          {
            IRQNoFlags () {12}
          })
        }

        Device (PIC)
        {
          Name (_HID, EisaId ("PNP0000"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0020, 0x0020, 0x01, 0x02)
            IO (Decode16, 0x00A0, 0x00A0, 0x01, 0x02)
            IO (Decode16, 0x04D0, 0x04D0, 0x01, 0x02)
            IRQNoFlags () {2}
          })
        }

        Device (TIMR)
        {
          Name (_HID, EisaId ("PNP0100"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0040, 0x0040, 0x01, 0x04)
            IRQNoFlags () {0}
          })
        }

        Device (SPKR)
        {
          Name (_HID, EisaId ("PNP0800"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0061, 0x0061, 0x01, 0x01)
          })
        }
      }
    }

    /* What the link devices have in common: the state, resources and new routing of a register. */
    Method (LSTA, 1, NotSerialized)
    {
      If (Arg0 & 0x80)
      {
        Return (0x09)
      }
      Return (0x0B)
    }

    Name (LBUF, ResourceTemplate ()
    {
      Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {0}
    })

    /* The field is made in here, since SeaBIOS, which looks for devices in this table, reads nothing of a
     * scope after a field of a buffer. */
    Method (LCRS, 1, Serialized)
    {
      CreateDWordField (LBUF, 0x05, LIRQ)
      If (Arg0 & 0x80)
      {
        LIRQ = Zero
      }
      Else
      {
        LIRQ = Arg0
      }
      Return (LBUF)
    }

#define LINK(name, uid, reg) \
    Device (name) \
    { \
      Name (_HID, EisaId ("PNP0C0F")) \
      Name (_UID, uid) \
      Name (_PRS, ResourceTemplate () \
      { \
        Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 11} \
      }) \
      Method (_STA, 0, NotSerialized) { Return (LSTA (reg)) } \
      Method (_DIS, 0, NotSerialized) { reg |= 0x80 } \
      Method (_CRS, 0, NotSerialized) { Return (LCRS (reg)) } \
      Method (_SRS, 1, Serialized) \
      { \
        CreateDWordField (Arg0, 0x05, IRQN) \
        reg = IRQN \
      } \
    }

    LINK (LNKA, 0, \_SB.PCI0.LPC.PRQA)
    LINK (LNKB, 1, \_SB.PCI0.LPC.PRQB)
    LINK (LNKC, 2, \_SB.PCI0.LPC.PRQC)
    LINK (LNKD, 3, \_SB.PCI0.LPC.PRQD)
    LINK (LNKE, 4, \_SB.PCI0.LPC.PRQE)
    LINK (LNKF, 5, \_SB.PCI0.LPC.PRQF)
    LINK (LNKG, 6, \_SB.PCI0.LPC.PRQG)
    LINK (LNKH, 7, \_SB.PCI0.LPC.PRQH)
  }
}
