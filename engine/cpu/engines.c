/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of CPU engines, and the choice among them.
 */
#include "kvm/kvm.h"
#include "translate/engine/engine.h"
#include "vcpu.h"

const VtVcpuOps *const vt_cpu_engines[] = {
  &vt_kvm_ops,
  &vt_soft_ops,
  NULL,
};

const VtVcpuOps *
vt_cpu_engine_find (const char *id, GError **error)
{
  g_autoptr (GString) known = g_string_new ("auto");
  for (unsigned i = 0; vt_cpu_engines[i]; i++)
    {
      if (g_str_equal (id, vt_cpu_engines[i]->id))
        return vt_cpu_engines[i];
      g_string_append_printf (known, ", %s", vt_cpu_engines[i]->id);
    }
  vt_set_error (error, VITRINE_ERROR_INVALID, "There is no CPU engine “%s”; choose one of: %s.", id,
                known->str);
  return NULL;
}
