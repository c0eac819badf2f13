/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a processor is measured with: small programs of one kind of work each, which run in a guest and on
 * the host alike. Statically linked, so that any kernel runs it.
 *
 * usage: work [NAME…]     prints "WORK name ns checksum" for each; the checksum is the same everywhere.
 */
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t
next (uint64_t *seed)
{
  *seed = *seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
  return *seed >> 32;
}

/* Integers and memory ----------------------------------------------------------------------------- */

static uint32_t
rotate (uint32_t x, unsigned n)
{
  return x >> n | x << (32 - n);
}

/* The compression function's shape (FIPS 180-4, 6.2.2), with constants of its own making. */
static uint64_t
work_digest (void)
{
  static uint32_t k[64], w[64];
  uint32_t        h[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
  uint64_t        seed = 1;

  for (unsigned i = 0; i < 64; i++)
    k[i] = (uint32_t) next (&seed);
  for (unsigned block = 0; block < 500000; block++)
    {
      uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], z = h[7];
      for (unsigned i = 0; i < 16; i++)
        w[i] = block * 16 + i;
      for (unsigned i = 16; i < 64; i++)
        w[i] = w[i - 16] + (rotate (w[i - 15], 7) ^ rotate (w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7]
               + (rotate (w[i - 2], 17) ^ rotate (w[i - 2], 19) ^ w[i - 2] >> 10);
      for (unsigned i = 0; i < 64; i++)
        {
          uint32_t t1 = z + (rotate (e, 6) ^ rotate (e, 11) ^ rotate (e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
          uint32_t t2 = (rotate (a, 2) ^ rotate (a, 13) ^ rotate (a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
          z = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
      h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += z;
    }
  return (uint64_t) h[0] << 32 | h[7];
}

static int
compare (const void *a, const void *b)
{
  const uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return x < y ? -1 : x > y;
}

static uint64_t
work_sort (void)
{
  static uint32_t v[400000];
  uint64_t        seed = 2, sum = 0;

  for (unsigned round = 0; round < 4; round++)
    {
      for (unsigned i = 0; i < 400000; i++)
        v[i] = (uint32_t) next (&seed);
      qsort (v, 400000, sizeof v[0], compare);
      for (unsigned i = 0; i < 400000; i += 97)
        sum = sum * 31 + v[i];
    }
  return sum;
}

static uint64_t
work_hash (void)
{
  static uint64_t table[1 << 17];
  uint64_t        seed = 3, found = 0;

  for (unsigned i = 0; i < 20000000; i++)
    {
      uint64_t key = next (&seed) % 90000 + 1, at = key * UINT64_C (0x9e3779b97f4a7c15) >> 47;
      while (table[at] != 0 && table[at] != key)
        at = (at + 1) & ((1 << 17) - 1);
      found += table[at] == key;
      table[at] = key;
    }
  return found;
}

static uint64_t
work_chase (void)
{
  static uint32_t link[1 << 16];
  uint64_t        seed = 4;
  uint32_t        at = 0;

  for (uint32_t i = 0; i < 1 << 16; i++)
    link[i] = i;
  for (uint32_t i = (1 << 16) - 1; i > 0; i--)
    {
      uint32_t j = (uint32_t) (next (&seed) % i), t = link[i];
      link[i] = link[j];
      link[j] = t;
    }
  for (unsigned i = 0; i < 36000000; i++)
    at = link[at];
  return at;
}

static __attribute__ ((noinline)) uint64_t
fibonacci (unsigned n)
{
  return n < 2 ? n : fibonacci (n - 1) + fibonacci (n - 2);
}

static uint64_t
work_calls (void)
{
  volatile unsigned n = 38;
  return fibonacci (n);
}

/* A machine of bytes, by an indirect jump for each. */
static uint64_t
work_interpreter (void)
{
  static uint8_t code[1024];
  uint64_t       seed = 5, a = 1, b = 2;

  for (unsigned i = 0; i < sizeof code; i++)
    code[i] = (uint8_t) (next (&seed) % 8);
  for (unsigned round = 0; round < 60000; round++)
    for (unsigned i = 0; i < sizeof code; i++)
      switch (*(volatile uint8_t *) &code[i])
        {
        case 0: a += b; break;
        case 1: a ^= b << 3; break;
        case 2: b = b * 5 + 1; break;
        case 3: b ^= a >> 7; break;
        case 4: a = ~a; break;
        case 5: { uint64_t t = a; a = b; b = t; } break;
        case 6: a -= 0x1234567; break;
        default: b += i; break;
        }
  return a ^ b;
}

static uint64_t
work_strings (void)
{
  static char text[1 << 16], copy[1 << 16];
  uint64_t    seed = 6, sum = 0;

  for (unsigned i = 0; i < sizeof text - 1; i++)
    text[i] = (char) ('a' + next (&seed) % 26);
  for (unsigned round = 0; round < 2000; round++)
    {
      unsigned n = 0;
      for (const char *p = text; *p; p++)
        if (*p != 'e')
          copy[n++] = (char) (*p ^ 0x20);
      copy[n] = 0;
      sum += strlen (copy) + (uint8_t) copy[round];
    }
  return sum;
}

static uint64_t
work_copy (void)
{
  static uint8_t from[1 << 20], to[1 << 20];
  uint64_t       seed = 7;

  for (unsigned i = 0; i < sizeof from; i++)
    from[i] = (uint8_t) next (&seed);
  for (unsigned i = 0; i < 4500; i++)
    {
      memcpy (to, from, sizeof to);
      from[i] ^= to[i + 1];
    }
  return to[4096];
}

/* Floating point ------------------------------------------------------------------------------------ */

static uint64_t
work_nbody (void)
{
  double p[5][3], v[5][3] = { { 0 } }, m[5];

  for (unsigned i = 0; i < 5; i++)
    {
      m[i] = 1.0 / (i + 1);
      for (unsigned k = 0; k < 3; k++)
        p[i][k] = (double) ((i * 7 + k * 3) % 11) + 1;
    }
  for (unsigned step = 0; step < 1600000; step++)
    {
      for (unsigned i = 0; i < 5; i++)
        for (unsigned j = i + 1; j < 5; j++)
          {
            double d[3], r = 1e-2;
            for (unsigned k = 0; k < 3; k++)
              d[k] = p[i][k] - p[j][k], r += d[k] * d[k];
            r = 1e-3 / (r * sqrt (r));
            for (unsigned k = 0; k < 3; k++)
              v[i][k] -= d[k] * m[j] * r, v[j][k] += d[k] * m[i] * r;
          }
      for (unsigned i = 0; i < 5; i++)
        for (unsigned k = 0; k < 3; k++)
          p[i][k] += 1e-3 * v[i][k];
    }
  return (uint64_t) (int64_t) (p[0][0] * 1e6);
}

static uint64_t
work_linpack (void)
{
  enum { N = 200 };
  static double a[N][N];
  uint64_t      seed = 8;
  double        sum = 0;

  for (unsigned round = 0; round < 80; round++)
    {
      for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++)
          a[i][j] = (double) (next (&seed) % 1000) + (i == j ? 1e5 : 0);
      for (unsigned k = 0; k < N; k++)
        for (unsigned i = k + 1; i < N; i++)
          {
            const double f = a[i][k] / a[k][k];
            for (unsigned j = k; j < N; j++)
              a[i][j] -= f * a[k][j];
          }
      sum += a[N - 1][N - 1];
    }
  return (uint64_t) sum;
}

__attribute__ ((target ("avx2,fma"))) static uint64_t
work_matmul (void)
{
  enum { N = 192 };
  static float a[N][N], b[N][N], c[N][N] __attribute__ ((aligned (32)));
  uint64_t     seed = 9;
  double       sum = 0;

  if (!__builtin_cpu_supports ("avx2") || !__builtin_cpu_supports ("fma"))
    return 0;
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++)
      a[i][j] = (float) (next (&seed) % 16), b[i][j] = (float) (next (&seed) % 16);
  for (unsigned round = 0; round < 150; round++)
    for (unsigned i = 0; i < N; i++)
      for (unsigned j = 0; j < N; j += 8)
        {
          __m256 s = _mm256_setzero_ps ();
          for (unsigned k = 0; k < N; k++)
            s = _mm256_fmadd_ps (_mm256_set1_ps (a[i][k]), _mm256_loadu_ps (&b[k][j]), s);
          _mm256_storeu_ps (&c[i][j], s);
        }
  for (unsigned i = 0; i < N; i++)
    sum += (double) c[i][i];
  return (uint64_t) sum;
}

/* The kernel's -------------------------------------------------------------------------------------- */

static uint64_t
work_syscalls (void)
{
  for (unsigned i = 0; i < 500000; i++)
    syscall (SYS_getppid);
  return 0;
}

static uint64_t
work_forks (void)
{
  uint64_t sum = 0;

  for (unsigned i = 0; i < 400; i++)
    {
      int   status;
      pid_t child = fork ();
      if (child == 0)
        _exit ((int) (i & 63));
      if (child < 0 || waitpid (child, &status, 0) != child)
        exit (1);
      sum += (unsigned) WEXITSTATUS (status);
    }
  return sum;
}

static uint64_t
work_switches (void)
{
  int  there[2], back[2];
  char byte = 0;

  if (pipe (there) < 0 || pipe (back) < 0)
    exit (1);
  if (fork () == 0)
    {
      close (there[1]);
      while (read (there[0], &byte, 1) == 1)
        if (write (back[1], &byte, 1) != 1)
          _exit (1);
      _exit (0);
    }
  for (unsigned i = 0; i < 20000; i++)
    if (write (there[1], &byte, 1) != 1 || read (back[0], &byte, 1) != 1)
      exit (1);
  close (there[1]);
  wait (NULL);
  return 0;
}

static uint64_t
work_faults (void)
{
  const size_t size = 32 << 20;
  uint64_t     sum = 0;

  for (unsigned round = 0; round < 5; round++)
    {
      uint8_t *p = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED)
        exit (1);
      madvise (p, size, MADV_NOHUGEPAGE);
      for (size_t i = 0; i < size; i += 4096)
        p[i] = (uint8_t) i, sum += p[i];
      munmap (p, size);
    }
  return sum;
}

static uint64_t shared;

static void *
count (void *unused __attribute__ ((unused)))
{
  for (unsigned i = 0; i < 2000000; i++)
    __atomic_fetch_add (&shared, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static uint64_t
work_threads (void)
{
  pthread_t thread[2];

  shared = 0;
  for (unsigned i = 0; i < 2; i++)
    if (pthread_create (&thread[i], NULL, count, NULL) != 0)
      exit (1);
  for (unsigned i = 0; i < 2; i++)
    pthread_join (thread[i], NULL);
  return shared;
}

static const struct
{
  const char *name;
  uint64_t (*run) (void);
} works[] = {
  { "digest", work_digest },     { "sort", work_sort },       { "hash", work_hash },
  { "chase", work_chase },       { "calls", work_calls },     { "interpreter", work_interpreter },
  { "strings", work_strings },   { "copy", work_copy },       { "nbody", work_nbody },
  { "linpack", work_linpack },   { "matmul", work_matmul },   { "syscalls", work_syscalls },
  { "forks", work_forks },       { "switches", work_switches }, { "faults", work_faults },
  { "threads", work_threads },
};

int
main (int argc, char **argv)
{
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (unsigned i = 0; i < sizeof works / sizeof works[0]; i++)
    {
      struct timespec start, end;
      bool            wanted = argc < 2;

      for (int n = 1; n < argc; n++)
        wanted = wanted || strcmp (argv[n], works[i].name) == 0;
      if (!wanted)
        continue;
      clock_gettime (CLOCK_MONOTONIC, &start);
      const uint64_t sum = works[i].run ();
      clock_gettime (CLOCK_MONOTONIC, &end);
      printf ("WORK %s %lld %llx\n", works[i].name,
              (long long) (end.tv_sec - start.tv_sec) * 1000000000 + (end.tv_nsec - start.tv_nsec),
              (unsigned long long) sum);
    }
  return 0;
}
