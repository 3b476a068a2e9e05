/* SPDX-License-Identifier: MIT */
/* Owns what is said of the machine, and the choice of CPUs to run on. */
#include "bench/machine/parts.h"

#include "src/cpu/cpu.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void tell_cpu(char *text, size_t text_bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(text, text_bytes, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (!value || strncmp(line, "model name", 10) != 0)
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(text, text_bytes, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

void nv_bench_describe(struct nv_bench_machine *machine)
{
    struct utsname name;
    tell_cpu(machine->cpu, sizeof machine->cpu);
    if (uname(&name) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "Linux %.64s %.64s", name.release, name.machine);
    snprintf(machine->table, sizeof machine->table, "%s", nv_cpu->name);
    machine->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* As the process was started, before it was pinned. */
static const cpu_set_t *allowed(void)
{
    static cpu_set_t set;
    static bool asked;
    if (!asked && sched_getaffinity(0, sizeof set, &set) == 0)
        asked = true;
    return &set;
}

bool nv_bench_two_cpus(int cpus[2])
{
    int found = 0;
    cpus[0] = cpus[1] = 0;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && found < 2; cpu--)
        if (CPU_ISSET(cpu, allowed()))
            cpus[found++] = cpu;
    return found == 2;
}

bool nv_bench_pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return false;
    allowed();
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}
