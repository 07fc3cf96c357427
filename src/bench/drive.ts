/** The generator's loop: what is to be done now, then packets, until the step says it is over. */
import type { GeneratorIo } from './generator-io.ts';

/** Returned by a step that is finished. */
export const OVER = -1;

/**
 * Calls `step` with the time until it returns {@link OVER}; otherwise it returns for how many
 * nanoseconds it has nothing to do. With `wakeOnPacket` it is called again as soon as a packet comes.
 */
export async function drive(
  io: GeneratorIo,
  wakeOnPacket: boolean,
  step: (nowNs: number) => number,
): Promise<void> {
  for (;;) {
    const waitNs = step(io.nowNs());
    if (waitNs === OVER) return;
    const turn = io.idle(waitNs, wakeOnPacket);
    if (turn) await turn;
  }
}
