/** The thread of `causeway bench b2bua`. */
import { aesKeystream, createNodeMediaCrypto } from '../node/node-media-crypto.ts';
import { B2buaLoad, endpointsNeeded } from './b2bua-load.ts';
import type { B2buaLoadOptions } from './b2bua-load-options.ts';
import type { B2buaLoadResult } from './b2bua-result.ts';
import { serveLoad } from './load-worker.ts';

await serveLoad<B2buaLoadOptions, B2buaLoadResult>((options, { createIo, isStopped, progress }) => {
  const io = createIo(endpointsNeeded(options));
  const crypto = { media: io.mediaCrypto() ?? createNodeMediaCrypto(io.bytes), keystream: aesKeystream };
  return new B2buaLoad(io, crypto, options, isStopped, progress).run();
});
