/**
 * Causeway's B2BUA side by side with rtpengine in userspace: `npm run bench:b2bua`, after `npm run build`.
 *
 *     npm run bench:b2bua -- --quick             everything, short
 *     npm run bench:b2bua -- --part media        one part: media, setup
 *     npm run bench:b2bua -- --rounds 5 --seconds 4
 *
 * Writes bench/results/b2bua-vs-rtpengine.md and .json. Needs Linux and rtpengine
 * (apt-get install rtpengine-daemon). What is measured and how: bench/RESULTS.md.
 */
import { mediaPart, setupPart } from './b2bua-parts.ts';
import { compare } from './comparison.ts';

await compare(
  'b2bua-vs-rtpengine',
  { media: mediaPart, setup: setupPart },
  { rtpengine: ['rtpengine', '--version'] },
);
