/** The thread of `causeway bench turn`. */
import { serveLoad } from './load-worker.ts';
import { endpointsNeeded, TurnLoad } from './turn-load.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';
import type { TurnLoadResult } from './turn-result.ts';

await serveLoad<TurnLoadOptions, TurnLoadResult>((options, { createIo, isStopped, progress }) =>
  new TurnLoad(createIo(endpointsNeeded(options)), options, isStopped, progress).run(),
);
