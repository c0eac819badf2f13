/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The description of org.vitrine.Machine1 and the names of its errors.
 */
#include "interface.h"

#include "vitrine-error.h"

/* GetStatus: "name", "uuid", "state", "end", "status", "detail", "cpu-engine", "cpu-detail": s;
 * "exit-status": i; "pid": u; "serials": as (where each port can be reached; "" where it can't); "spice-port",
 * "spice-tls-port": u (0: none); "absolute-pointer", "window": b.
 * Type, Key, Click and Move answer once the guest has been given the last event. */
static const char description[]
    = "<node><interface name='org.vitrine.Machine1'>"
      "<method name='GetStatus'><arg type='a{sv}' name='status' direction='out'/></method>"
      "<method name='Pause'/>"
      "<method name='Resume'/>"
      "<method name='Reset'/>"
      "<method name='ShutDown'/>"
      "<method name='Stop'/>"
      "<method name='ShowWindow'/>"
      "<method name='Screenshot'><arg type='u' name='console' direction='in'/>"
      "<arg type='s' name='path' direction='in'/></method>"
      "<method name='ScreenText'><arg type='u' name='console' direction='in'/>"
      "<arg type='s' name='text' direction='out'/></method>"
      "<method name='Type'><arg type='s' name='text' direction='in'/>"
      "<arg type='u' name='delay_ms' direction='in'/></method>"
      "<method name='Key'><arg type='s' name='chord' direction='in'/></method>"
      "<method name='Click'><arg type='i' name='x' direction='in'/>"
      "<arg type='i' name='y' direction='in'/><arg type='u' name='button' direction='in'/>"
      "<arg type='u' name='count' direction='in'/></method>"
      "<method name='Move'><arg type='i' name='x' direction='in'/>"
      "<arg type='i' name='y' direction='in'/></method>"
      "<method name='ListMedia'><arg type='a(sb)' name='drives' direction='out'/></method>"
      "<method name='ChangeMedium'><arg type='s' name='id' direction='in'/>"
      "<arg type='s' name='path' direction='in'/><arg type='b' name='force' direction='in'/></method>"
      "<signal name='StateChanged'><arg type='s' name='state'/><arg type='s' name='status'/></signal>"
      "</interface></node>";

GDBusInterfaceInfo *
vt_control_interface (void)
{
  static GDBusInterfaceInfo *info;
  if (g_once_init_enter (&info))
    {
      g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (description, NULL);
      g_once_init_leave (&info, g_dbus_interface_info_ref (node->interfaces[0]));
    }
  return info;
}

void
vt_control_register_errors (void)
{
  static const GDBusErrorEntry entries[] = {
    { VITRINE_ERROR_FAILED, "org.vitrine.Error.Failed" },
    { VITRINE_ERROR_INVALID, "org.vitrine.Error.Invalid" },
    { VITRINE_ERROR_NOT_FOUND, "org.vitrine.Error.NotFound" },
    { VITRINE_ERROR_EXISTS, "org.vitrine.Error.Exists" },
    { VITRINE_ERROR_DENIED, "org.vitrine.Error.Denied" },
    { VITRINE_ERROR_BUSY, "org.vitrine.Error.Busy" },
    { VITRINE_ERROR_UNSUPPORTED, "org.vitrine.Error.Unsupported" },
    { VITRINE_ERROR_NO_SPACE, "org.vitrine.Error.NoSpace" },
    { VITRINE_ERROR_CORRUPT, "org.vitrine.Error.Corrupt" },
    { VITRINE_ERROR_STATE, "org.vitrine.Error.State" },
  };
  static gsize domain;
  g_dbus_error_register_error_domain (g_quark_to_string (VITRINE_ERROR), &domain, entries,
                                      G_N_ELEMENTS (entries));
}
