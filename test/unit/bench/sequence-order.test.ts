import { expect, test } from 'vitest';
import {
  ORDER_DUPLICATE,
  ORDER_LATE,
  ORDER_NEW,
  ORDER_WINDOW,
  SequenceOrder,
} from '../../../src/bench/sequence-order.ts';

const note = (...sequences: number[]): number[] => {
  const order = new SequenceOrder(1);
  return sequences.map((sequence) => order.note(0, sequence));
};

test('numbers that rise are new, gaps or not', () => {
  expect(note(10_000, 10_001, 10_005, 10_500)).toEqual(Array(4).fill(ORDER_NEW));
});

test('a number below the newest is late the first time and a copy the next', () => {
  expect(note(5, 8, 6, 6, 8, 5)).toEqual([
    ORDER_NEW,
    ORDER_NEW,
    ORDER_LATE,
    ORDER_DUPLICATE,
    ORDER_DUPLICATE,
    ORDER_DUPLICATE,
  ]);
});

test('one from before the first of all is late', () => {
  expect(note(100, 99, 99)).toEqual([ORDER_NEW, ORDER_LATE, ORDER_DUPLICATE]);
});

test('streams do not know of each other', () => {
  const order = new SequenceOrder(2);
  order.note(0, 7);
  expect(order.note(1, 7)).toBe(ORDER_NEW);
});

test('numbers wrap after 32 bits', () => {
  expect(note(0x7fff_ffff, 0xffff_ffff, 0, 0xffff_ffff)).toEqual([
    ORDER_NEW,
    ORDER_NEW,
    ORDER_NEW,
    ORDER_DUPLICATE,
  ]);
});

test('whatever the order, the window tells copies exactly, and what is older counts as late', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (seed >>> 8) % below;
  };
  const order = new SequenceOrder(1);
  const seen = new Set<number>();
  let newest = 1000;
  order.note(0, newest);
  seen.add(newest);
  for (let i = 0; i < 20_000; i++) {
    // Steps of all sizes around those of the window's two words.
    const sequence = newest + (random(4) === 0 ? random(140) : -random(100));
    let expected: number = seen.has(sequence) ? ORDER_DUPLICATE : ORDER_LATE;
    if (sequence > newest) expected = ORDER_NEW;
    else if (newest - sequence >= ORDER_WINDOW) expected = ORDER_LATE;
    expect(order.note(0, sequence)).toBe(expected);
    seen.add(sequence);
    newest = Math.max(newest, sequence);
  }
});
