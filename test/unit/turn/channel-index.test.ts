import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChannelIndex } from '../../../src/turn/channel-index.ts';
import { CHANNEL_NUMBER_MAX, CHANNEL_NUMBER_MIN } from '../../../src/wire/channel-data.ts';
import { holds, Random, SEED } from '../../fuzz/seeded.ts';

interface Step {
  readonly action: 'set' | 'get' | 'delete';
  readonly allocation: number;
  readonly channelNumber: number;
}

function expectLikeMap(steps: readonly Step[]): void {
  const index = new ChannelIndex(SEED);
  const model = new Map<string, number>();
  for (const [row, { action, allocation, channelNumber }] of steps.entries()) {
    const key = `${allocation} ${channelNumber}`;
    if (action === 'set') {
      index.set(allocation, channelNumber, row);
      model.set(key, row);
    } else if (action === 'delete') {
      index.delete(allocation, channelNumber);
      model.delete(key);
    }
    expect(index.get(allocation, channelNumber)).toBe(model.get(key) ?? -1);
  }
  for (const [key, row] of model) {
    const [allocation, channelNumber] = key.split(' ').map(Number);
    expect(index.get(allocation as number, channelNumber as number), key).toBe(row);
  }
}

describe('the channel index', () => {
  it('is a map', () => {
    const step: fc.Arbitrary<Step> = fc.record({
      action: fc.constantFrom('set', 'set', 'get', 'delete'),
      allocation: fc.constantFrom(0, 1, 2, 19_999),
      channelNumber: fc.constantFrom(
        CHANNEL_NUMBER_MIN,
        CHANNEL_NUMBER_MIN + 1,
        CHANNEL_NUMBER_MIN + 2,
        CHANNEL_NUMBER_MAX,
      ),
    });
    holds(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => expectLikeMap(steps)),
      500,
    );
  });

  it('stays a map through growth and long runs of deletions', () => {
    const random = new Random(SEED);
    expectLikeMap(
      Array.from({ length: 60_000 }, (_, i) => ({
        action: random.chance(i < 30_000 ? 0.7 : 0.1) ? 'set' : random.chance(0.6) ? 'delete' : 'get',
        allocation: random.below(64),
        channelNumber: CHANNEL_NUMBER_MIN + random.below(64),
      })),
    );
  });

  it('holds every channel of every allocation of a large node', () => {
    const index = new ChannelIndex(SEED);
    for (let allocation = 0; allocation < 20_000; allocation += 1999) {
      for (let number = CHANNEL_NUMBER_MIN; number <= CHANNEL_NUMBER_MAX; number += 5) {
        index.set(allocation, number, allocation * 4096 + number);
      }
    }
    for (let allocation = 0; allocation < 20_000; allocation += 1999) {
      for (let number = CHANNEL_NUMBER_MIN; number <= CHANNEL_NUMBER_MAX; number++) {
        const bound = (number - CHANNEL_NUMBER_MIN) % 5 === 0;
        expect(index.get(allocation, number)).toBe(bound ? allocation * 4096 + number : -1);
      }
    }
  });
});
