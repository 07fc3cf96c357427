/**
 * Causeway side by side with coturn: `npm run bench:turn`, after `npm run build`.
 *
 *     npm run bench:turn -- --quick              everything, short
 *     npm run bench:turn -- --part cost          one part: cost, memory, allocation, rate, flatness, capacity
 *     npm run bench:turn -- --rounds 5 --seconds 4
 *
 * Writes bench/results/turn-vs-coturn.md and .json. Needs Linux, a C compiler, and coturn
 * (apt-get install coturn). What is measured and how: bench/RESULTS.md.
 */
import { compare } from './comparison.ts';
import {
  allocationPart,
  capacityPart,
  costPart,
  flatnessPart,
  highestRatePart,
  memoryPart,
} from './turn-parts.ts';

await compare(
  'turn-vs-coturn',
  {
    memory: memoryPart,
    allocation: allocationPart,
    cost: costPart,
    rate: highestRatePart,
    flatness: flatnessPart,
    capacity: capacityPart,
  },
  { coturn: ['turnserver', '--version'] },
);
