/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * usage: instructions CASES [SEED]
 *
 * Random instructions of every form that is known (rig/host-forms.h), each run by this host's processor, the
 * interpreter and the translator, strict and not (rig/host-case.h): CASES of them that could be compared,
 * and a quarter of that of 32-bit code, in two processes. A form that should have been compared and never was fails it, as a difference does.
 */
#include "rig/host-case.h"
#include "rig/host-forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 2u
#define REPORTS 20u /* As many differences are told. */
#define LISTED 40u

/* What a worker leaves behind, in memory that both see. */
typedef struct
{
  uint64_t n_compared, n_declined, n_skipped, n_different, n_entries;
  bool     translates;
} Sum;

static void
run_one (HostCase *hc, const HostForms *forms, HostForm *form, uint64_t *random, Sum *sum)
{
  g_autofree char *report = NULL;
  uint8_t          bytes[HOST_FORM_BYTES];

  host_form_vary (forms, form, random, bytes);
  switch (host_case_run_insn (hc, bytes, host_random (random), &report))
    {
    case HOST_CASE_DIFFERENT:
      if (sum->n_different++ < REPORTS)
        fprintf (stderr, "%s", report);
      break;
    case HOST_CASE_SAME:
      form->n_compared++;
      sum->n_compared++;
      break;
    case HOST_CASE_DECLINED:
      form->n_declined++;
      sum->n_declined++;
      break;
    default:
      sum->n_skipped++;
      break;
    }
}

/* Every form in turn, so that none is left out; what is never compared is tried ever less often. */
static void
work (HostForms *forms, uint64_t cases, uint64_t seed, Sum *sum)
{
  HostCase *hc = host_case_new (); /* Its pages are not to be shared with the other process. */
  uint64_t  random = seed | 1, round = 0;

  if (hc == NULL)
    {
      fprintf (stderr, "no memory at the addresses that the cases need\n");
      _exit (1);
    }
  host_case_set_bits (hc, forms->bits);
  for (; sum->n_compared < cases && sum->n_different < 1000; round++)
    for (unsigned i = 0; i < forms->n; i++)
      if (forms->form[i].n_compared || round < 32)
        run_one (hc, forms, &forms->form[i], &random, sum);
  sum->translates = host_case_translated (hc, &sum->n_entries);
}

static bool
run (unsigned bits, uint64_t cases, uint64_t seed)
{
  HostForms *forms = host_forms_new (bits);
  Sum       *sum = mmap (NULL, WORKERS * sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
  HostForm  *shared = mmap (NULL, WORKERS * forms->n * sizeof *shared, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Sum        all = { 0 };
  bool       ok = true;

  if (sum == MAP_FAILED || shared == MAP_FAILED)
    {
      fprintf (stderr, "no memory\n");
      return false;
    }
  for (unsigned w = 0; w < WORKERS; w++)
    {
      memcpy (shared + w * forms->n, forms->form, forms->n * sizeof *shared);
      if (fork () == 0)
        {
          HostForms mine = *forms;
          mine.form = shared + w * forms->n;
          work (&mine, (cases + WORKERS - 1) / WORKERS, seed * WORKERS + w + 1, &sum[w]);
          _exit (0);
        }
    }
  for (unsigned w = 0; w < WORKERS; w++)
    {
      int status = 1;
      if (wait (&status) < 0 || status != 0)
        ok = false;
    }
  for (unsigned w = 0; w < WORKERS; w++)
    {
      all.n_compared += sum[w].n_compared;
      all.n_declined += sum[w].n_declined;
      all.n_skipped += sum[w].n_skipped;
      all.n_different += sum[w].n_different;
      all.n_entries += sum[w].n_entries;
      all.translates |= sum[w].translates;
    }

  unsigned n_compared = 0, n_missed = 0;
  for (unsigned i = 0; i < forms->n; i++)
    {
      HostForm *form = &forms->form[i];
      for (unsigned w = 0; w < WORKERS; w++)
        {
          form->n_compared += shared[w * forms->n + i].n_compared;
          form->n_declined += shared[w * forms->n + i].n_declined;
        }
      if (form->n_compared)
        n_compared++;
      else if (host_case_expects (bits, form->bytes))
        {
          g_autofree char *text = host_form_text (forms, form);
          if (n_missed++ < LISTED)
            printf ("never compared: %s (declined %u times)\n", text, form->n_declined);
        }
    }
  printf ("%u-bit code: %" G_GUINT64_FORMAT " cases compared, %" G_GUINT64_FORMAT " different, %"
          G_GUINT64_FORMAT " declined, %" G_GUINT64_FORMAT " not to be compared; of %u forms %u compared, %u "
          "missed; translated code entered %" G_GUINT64_FORMAT " times\n",
          bits, (guint64) all.n_compared, (guint64) all.n_different, (guint64) all.n_declined,
          (guint64) all.n_skipped, forms->n, n_compared, n_missed, (guint64) all.n_entries);
  ok &= all.n_compared >= cases && all.n_different == 0 && n_missed == 0
        && (!all.translates || all.n_entries > all.n_compared / 2);
  munmap (sum, WORKERS * sizeof *sum);
  munmap (shared, WORKERS * forms->n * sizeof *shared);
  host_forms_free (forms);
  return ok;
}

int
main (int argc, char **argv)
{
  const uint64_t cases = argc > 1 ? strtoull (argv[1], NULL, 10) : 1000000;
  const uint64_t seed = argc > 2 ? strtoull (argv[2], NULL, 10) : (uint64_t) g_get_real_time ();

  printf ("seed %" G_GUINT64_FORMAT "\n", (guint64) seed);
  fflush (stdout);
  const bool wide = run (64, cases, seed);
  fflush (stdout);
  const bool narrow = run (32, cases / 4, seed);
  return wide && narrow ? 0 : 1;
}
