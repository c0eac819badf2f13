/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine doctor: what this computer offers to machines, and what to do where it doesn't.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/app.h"
#include "control/library.h"
#include "vitrine-host.h"

/* What a small graphical guest needs; less is worth a word. */
#define LOW_MEMORY (UINT64_C (2) << 30)
#define LOW_SPACE (UINT64_C (8) << 30)

typedef enum
{
  HEALTH_OK,
  HEALTH_INFO,    /* Something optional is not there. */
  HEALTH_WARNING, /* Machines run, but not as they could. */
  HEALTH_PROBLEM, /* Machines don't run. */
} Health;

typedef struct
{
  const char *id; /* Stable, for scripts. */
  Health      health;
  char       *sentence, *remedy; /* The remedy may be NULL. */
} Check;

static void
check_free (gpointer data)
{
  Check *check = data;
  g_free (check->sentence);
  g_free (check->remedy);
  g_free (check);
}

/* (transfer full) for both texts. */
static void
add (GPtrArray *checks, const char *id, Health health, char *sentence, char *remedy)
{
  Check *check = g_new0 (Check, 1);
  *check = (Check) { id, health, sentence, remedy };
  g_ptr_array_add (checks, check);
}

static void
check_kvm (GPtrArray *checks, const VitrineKvmReport *report)
{
  const Health health = report->status == VITRINE_KVM_USABLE ? HEALTH_OK : HEALTH_WARNING;
  add (checks, "kvm", health, g_strdup (report->sentence), g_strdup (report->remedy));
}

/* What machines run on, and what speed that is. */
static void
check_engine (GPtrArray *checks, const VitrineKvmReport *kvm, const VitrineSpeed *speed)
{
  const double there = kvm->chosen ? kvm->instructions_per_second : speed->software;
  const double percent = MIN (100 * there / speed->native, 100);
  g_autofree char *rate = g_strdup_printf (
      _ ("%.0f million instructions per second, %.*f %% of what the processor itself does"), there / 1e6,
      percent < 10 ? 1 : 0, percent);

  if (there <= 0)
    add (checks, "engine", HEALTH_PROBLEM,
         g_strdup (_ ("Machines don't run: KVM can't be used, and this processor can't run them in software.")),
         g_strdup (kvm->remedy));
  else if (kvm->chosen)
    add (checks, "engine", HEALTH_OK, g_strdup_printf (_ ("Machines run on KVM: %s."), rate), NULL);
  else if (speed->translated)
    add (checks, "engine", HEALTH_OK,
         g_strdup_printf (_ ("Machines run in software, translated: %s."), rate), NULL);
  else
    add (checks, "engine", HEALTH_WARNING,
         g_strdup_printf (_ ("Machines run in software, interpreted: %s."), rate),
         g_strdup (_ ("Let Vitrine make memory executable, which something here denies it, such as a "
                      "sandbox or SELinux; or use a processor with BMI2.")));
}

static void
check_firmware (GPtrArray *checks, const char *id, const char *file, const char *what)
{
  static const char *const folders[] = { "/usr/share/seabios", "/usr/share/qemu" };
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (folders[i], file, NULL);
      if (access (path, R_OK) == 0)
        {
          add (checks, id, HEALTH_OK, g_strdup_printf (_("%s: %s."), what, path), NULL);
          return;
        }
    }
  add (checks, id, HEALTH_PROBLEM, g_strdup_printf (_("%s is missing: there is no %s."), what, file),
       g_strdup (_("Install the package “seabios”.")));
}

static guint64
available_memory (void)
{
  g_autofree char *text = NULL;
  const char      *line;
  if (!g_file_get_contents ("/proc/meminfo", &text, NULL, NULL)
      || !(line = strstr (text, "MemAvailable:")))
    return 0;
  return g_ascii_strtoull (line + strlen ("MemAvailable:"), NULL, 10) * 1024;
}

static void
check_memory (GPtrArray *checks)
{
  guint64          bytes = available_memory ();
  g_autofree char *text = vt_cli_format_size (bytes);
  if (!bytes)
    return;
  bool low = bytes < LOW_MEMORY;
  add (checks, "memory", low ? HEALTH_WARNING : HEALTH_OK,
       g_strdup_printf (_("%s of memory are available."), text),
       low ? g_strdup (_("Close other programs, or give the machines less memory.")) : NULL);
}

static void
check_space (GPtrArray *checks)
{
  g_autofree char *library = vt_library_folder ();
  g_autofree char *folder = g_strdup (library);
  struct statvfs   fs;
  /* Before the first machine the folder isn't there: then its parents tell. */
  while (statvfs (folder, &fs) < 0)
    {
      if (errno != ENOENT || strlen (folder) <= 1)
        {
          add (checks, "space", HEALTH_PROBLEM,
               g_strdup_printf (_("The machines' folder %s can't be reached: %s."), library,
                                g_strerror (errno)),
               g_strdup (_("Set VITRINE_HOME to a folder of your own.")));
          return;
        }
      char *parent = g_path_get_dirname (folder);
      g_free (folder);
      folder = parent;
    }
  guint64          bytes = (guint64) fs.f_bavail * fs.f_frsize;
  g_autofree char *text = vt_cli_format_size (bytes);
  if (access (folder, W_OK) < 0)
    add (checks, "space", HEALTH_PROBLEM,
         g_strdup_printf (_("You may not write in %s, where machines would be."), folder),
         g_strdup (_("Set VITRINE_HOME to a folder of your own.")));
  else
    add (checks, "space", bytes < LOW_SPACE ? HEALTH_WARNING : HEALTH_OK,
         g_strdup_printf (_("%s are free for machines in %s."), text, library),
         bytes < LOW_SPACE ? g_strdup (_("Free some space before you install a guest.")) : NULL);
}

static void
check_display (GPtrArray *checks)
{
  const char *display = vt_app_display_name ();
  if (display)
    add (checks, "display", HEALTH_OK,
         g_strdup_printf (_("Windows open on the display %s."), display), NULL);
  else
    add (checks, "display", HEALTH_INFO, g_strdup (_("There is no display to open windows on.")),
         g_strdup (_("Run machines with --headless and look at them with a SPICE viewer.")));
}

static void
check_render_node (GPtrArray *checks)
{
  g_autoptr (GDir) dir = g_dir_open ("/dev/dri", 0, NULL);
  const char      *entry;
  g_autofree char *forbidden = NULL;
  while (dir && (entry = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename ("/dev/dri", entry, NULL);
      if (!g_str_has_prefix (entry, "renderD"))
        continue;
      if (access (path, R_OK | W_OK) == 0)
        {
          add (checks, "render", HEALTH_OK, g_strdup_printf (_("Graphics hardware: %s."), path), NULL);
          return;
        }
      g_free (forbidden);
      forbidden = g_steal_pointer (&path);
    }
  if (forbidden)
    add (checks, "render", HEALTH_INFO,
         g_strdup_printf (_("You may not use the graphics hardware %s; windows are drawn by the "
                            "processor."),
                          forbidden),
         g_strdup (_("Join the group “render” and log in again.")));
  else
    add (checks, "render", HEALTH_INFO,
         g_strdup (_("There is no graphics hardware; windows are drawn by the processor.")), NULL);
}

static void
print_json (GPtrArray *checks, const VitrineKvmReport *kvm, const VitrineSpeed *speed, bool healthy)
{
  static const char *const names[] = { "ok", "info", "warning", "problem" };
  JsonBuilder             *builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "healthy");
  json_builder_add_boolean_value (builder, healthy);
  json_builder_set_member_name (builder, "checks");
  json_builder_begin_array (builder);
  for (guint i = 0; i < checks->len; i++)
    {
      const Check *check = checks->pdata[i];
      json_builder_begin_object (builder);
      vt_cli_json_string (builder, "id", check->id);
      vt_cli_json_string (builder, "status", names[check->health]);
      vt_cli_json_string (builder, "sentence", check->sentence);
      vt_cli_json_string (builder, "remedy", check->remedy);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "kvm");
  json_builder_begin_object (builder);
  vt_cli_json_string (builder, "status", vitrine_kvm_status_to_string (kvm->status));
  json_builder_set_member_name (builder, "api-version");
  json_builder_add_int_value (builder, kvm->api_version);
  json_builder_set_member_name (builder, "instructions-per-second");
  json_builder_add_double_value (builder, kvm->instructions_per_second);
  json_builder_set_member_name (builder, "capabilities");
  json_builder_begin_array (builder);
  for (char **capability = kvm->capabilities; capability && *capability; capability++)
    json_builder_add_string_value (builder, *capability);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  vt_cli_json_string (builder, "cpu-engine", kvm->chosen ? "kvm" : "translate");
  json_builder_set_member_name (builder, "instructions-per-second");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "processor");
  json_builder_add_double_value (builder, speed->native);
  json_builder_set_member_name (builder, "kvm");
  json_builder_add_double_value (builder, kvm->instructions_per_second);
  json_builder_set_member_name (builder, "translate");
  json_builder_add_double_value (builder, speed->software);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  vt_cli_print_json (builder);
}

static void
print_text (GPtrArray *checks)
{
  const char *const marks[] = { _("ok"), _("info"), _("warning"), _("problem") };
  for (guint i = 0; i < checks->len; i++)
    {
      const Check *check = checks->pdata[i];
      g_print ("%-9s %s\n", marks[check->health], check->sentence);
      if (check->remedy)
        g_print ("%-9s → %s\n", "", check->remedy);
    }
}

int
vt_cli_has_display (const VtCommand *command, int argc, char **argv)
{
  int result;
  if (!vt_cli_parse (command, NULL, &argc, &argv, 0, 0, &result))
    return result;
  return vt_app_has_display () ? VT_EXIT_OK : VT_EXIT_FAILED;
}

int
vt_cli_doctor (const VtCommand *command, int argc, char **argv)
{
  gboolean           json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, N_("For scripts: print JSON"), NULL },
    { 0 },
  };
  int result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 0, 0, &result))
    return result;
  g_autoptr (GPtrArray) checks = g_ptr_array_new_with_free_func (check_free);
  g_autoptr (VitrineKvmReport) kvm = vitrine_host_probe_kvm ();
  VitrineSpeed speed;
  vitrine_host_measure (&speed);
  check_kvm (checks, kvm);
  check_engine (checks, kvm, &speed);
  check_firmware (checks, "bios", "bios-256k.bin", _("The BIOS"));
  check_firmware (checks, "vga-bios", "vgabios-stdvga.bin", _("The graphics card's BIOS"));
  check_memory (checks);
  check_space (checks);
  check_display (checks);
  check_render_node (checks);
  bool healthy = true;
  for (guint i = 0; i < checks->len; i++)
    healthy = healthy && ((const Check *) checks->pdata[i])->health != HEALTH_PROBLEM;
  if (json)
    print_json (checks, kvm, &speed, healthy);
  else
    print_text (checks);
  return healthy ? VT_EXIT_OK : VT_EXIT_DENIED;
}
