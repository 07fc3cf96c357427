/** What a server process on this machine used, from Linux's /proc: CPU time and memory. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, the unit of /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

/**
 * CPU time of all threads of the process so far, seconds, in steps of 10 ms (/proc/PID/stat).
 * Throws an Error if there is no such process.
 */
export function processCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command name, in parentheses, may hold spaces; utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Memory of the process's own, bytes: private pages, resident or swapped (/proc/PID/smaps_rollup). */
export function processMemoryBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  let kib = 0;
  for (const [, value] of rollup.matchAll(/^(?:Private_Clean|Private_Dirty|Swap): +(\d+) kB$/gm)) {
    kib += Number(value);
  }
  return kib * KIB;
}

/** Threads of the process. */
export function processThreads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}
