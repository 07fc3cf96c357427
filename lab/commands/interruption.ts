import { EXIT_INTERRUPTED } from './exit-codes.ts';

/**
 * Settles at the first signal that ends the lab in order, or when nobody reads what is printed any more (`| head`). A
 * second signal ends this process at once, and all with it.
 */
export function whenInterrupted(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    let count = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (++count > 1) process.exit(EXIT_INTERRUPTED);
        resolve('interrupted');
      });
    }
    process.stdout.on('error', () => resolve('interrupted'));
  });
}
