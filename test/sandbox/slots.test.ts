import { describe, expect, it, vi } from 'vitest';
import { createSlots } from '../../src/sandbox/slots.ts';

describe('slots', () => {
  it('are given to so many at a time, in the order they were asked for', async () => {
    const slots = createSlots(2);
    const order: string[] = [];
    const [first, second] = await Promise.all([slots.acquire(), slots.acquire()]);
    const waiting = ['third', 'fourth'].map(async (name) => {
      const release = await slots.acquire();
      order.push(name);
      return release;
    });
    expect([slots.taken, slots.waiting]).toEqual([2, 2]);
    first();
    first(); // Given back once, however often it is said.
    await waiting[0];
    expect(order).toEqual(['third']);
    second();
    await waiting[1];
    expect([slots.taken, slots.waiting]).toEqual([2, 0]);
  });

  it('are not kept for who does not want one any more', async () => {
    const slots = createSlots(1);
    const release = await slots.acquire();
    const controller = new AbortController();
    const given = slots.acquire(controller.signal);
    controller.abort(new Error('cancelled'));
    await expect(given).rejects.toThrow('cancelled');
    release();
    await vi.waitFor(() => expect([slots.taken, slots.waiting]).toEqual([0, 0]));
    await expect(slots.acquire(controller.signal)).rejects.toThrow('cancelled');
    await expect(slots.acquire()).resolves.toBeTypeOf('function');
  });

  it('have no end without a limit', async () => {
    const slots = createSlots();
    await Promise.all(Array.from({ length: 1000 }, () => slots.acquire()));
    expect(slots.taken).toBe(1000);
  });
});
