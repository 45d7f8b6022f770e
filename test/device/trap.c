/*
 * Shows which machine instruction makes an access to a mapped file: its pages are made inaccessible, the first access
 * to each raises SIGSEGV, the handler notes the instruction and opens the page, and the instruction runs again.
 * For 32-bit ARM.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define MOST 16384

struct access {
  uint32_t instruction; /* as fetched: a 16-bit one in the upper half, a 32-bit Thumb one first half-word up */
  uint32_t thumb;
  uint32_t offset; /* of the accessed byte in the mapping */
};

static struct access noted[MOST];
static volatile uint32_t count;
static uintptr_t start, end, page;

static void note(int signal_number, siginfo_t *info, void *context)
{
  uintptr_t address = (uintptr_t)info->si_addr;
  if (address < start || address >= end) {
    signal(signal_number, SIG_DFL); /* a real fault: the next time it ends the process */
    return;
  }
  const mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
  uint32_t thumb = (uint32_t)machine->arm_cpsr >> 5 & 1;
  uint32_t instruction;
  if (thumb) {
    const uint16_t *halves = (const uint16_t *)machine->arm_pc;
    instruction = (uint32_t)halves[0] << 16 | halves[1];
  } else {
    instruction = *(const uint32_t *)machine->arm_pc;
  }
  if (count < MOST)
    noted[count++] = (struct access){instruction, thumb, (uint32_t)(address - start)};
  mprotect((void *)(address & ~(page - 1)), page, PROT_READ | PROT_WRITE);
}

/* Watches the mapping of the file `path`; returns its length, or 0 when there is none. */
uint32_t trap_watch(const char *path)
{
  char line[4096];
  FILE *maps = fopen("/proc/self/maps", "r");
  if (!maps)
    return 0;
  start = end = 0;
  while (fgets(line, sizeof line, maps)) {
    uintptr_t from, to;
    if (strstr(line, path) && sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2) {
      if (start == 0)
        start = from;
      end = to;
    }
  }
  fclose(maps);
  page = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NODEFER};
  if (start == 0 || sigaction(SIGSEGV, &action, NULL) != 0)
    return 0;
  return (uint32_t)(end - start);
}

/* From here on, the first access to each page is noted. */
int trap_arm(void)
{
  count = 0;
  return mprotect((void *)start, end - start, PROT_NONE);
}

/* Opens all pages again and copies what was noted, three words an access; returns how many accesses. */
uint32_t trap_take(uint32_t *to)
{
  mprotect((void *)start, end - start, PROT_READ | PROT_WRITE);
  memcpy(to, noted, count * sizeof *noted);
  return count;
}
