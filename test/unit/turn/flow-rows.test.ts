import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowRows } from '../../../src/turn/flow-rows.ts';
import { holds } from '../../fuzz/seeded.ts';

describe('flow rows', () => {
  it('belong to one owner each and keep their contents through growth', () => {
    const steps = fc.array(fc.oneof(fc.constant('acquire' as const), fc.nat()), {
      maxLength: 1500,
      size: 'max',
    });
    holds(
      fc.property(steps, (steps) => {
        const rows = new FlowRows();
        const held = new Map<number, number>();
        let next = 0;
        for (const step of steps) {
          if (step === 'acquire') {
            const row = rows.acquire();
            expect(held.has(row)).toBe(false);
            held.set(row, ++next);
            rows.owner[row] = next;
            rows.peer[row] = next + 1;
            rows.expiresAtMs[row] = next + 0.5;
            rows.verdict[row] = next + 2;
            rows.detail[row] = next + 3;
            rows.permission[row] = next + 4;
            rows.packetsToPeer[row] = next + 5;
            rows.packetsFromPeer[row] = next + 6;
          } else if (held.size > 0) {
            const row = [...held.keys()][step % held.size] as number;
            rows.release(row);
            held.delete(row);
          }
          expect(rows.size).toBe(held.size);
        }
        for (const [row, mark] of held) {
          const contents = [
            rows.owner,
            rows.peer,
            rows.expiresAtMs,
            rows.verdict,
            rows.detail,
            rows.permission,
            rows.packetsToPeer,
            rows.packetsFromPeer,
          ];
          expect(contents.map((column) => column[row])).toEqual([
            mark,
            mark + 1,
            mark + 0.5,
            mark + 2,
            mark + 3,
            mark + 4,
            mark + 5,
            mark + 6,
          ]);
        }
      }),
      50,
    );
  });

  it('reuse what was released before they grow', () => {
    const rows = new FlowRows();
    for (let i = 0; i < 256; i++) rows.acquire();
    for (let i = 0; i < 1000; i++) {
      const some = Array.from({ length: 1 + (i % 100) }, (_, row) => (row * 7 + i) % 256);
      for (const row of some) rows.release(row);
      for (const _ of some) rows.acquire();
    }
    expect(rows.owner.length).toBe(256);
  });

  it('keep what every column holds when they grow', () => {
    const rows = new FlowRows();
    const columns = () => [
      ...[rows.owner, rows.next, rows.peer, rows.expiresAtMs, rows.verdict, rows.detail, rows.permission],
      ...[rows.packetsToPeer, rows.packetsFromPeer],
    ];
    const row = rows.acquire();
    for (const [i, column] of columns().entries()) column[row] = 100 + i;
    while (rows.owner.length === 256) rows.acquire();
    expect(columns().map((column) => [column.length, column[row]])).toEqual(
      columns().map((_, i) => [512, 100 + i]),
    );
  });

  it('begin without packets, whatever their last owner had relayed', () => {
    const rows = new FlowRows();
    const row = rows.acquire();
    rows.packetsToPeer[row] = 7;
    rows.packetsFromPeer[row] = 8;
    rows.release(row);
    expect(rows.acquire()).toBe(row);
    expect([rows.packetsToPeer[row], rows.packetsFromPeer[row]]).toEqual([0, 0]);
  });
});
