/** `POST /ng`: the commands of the `ng` protocol over HTTP, dictionaries as plain JSON, without a cookie. */
import type { Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { BencodeDictionary } from '../wire/bencode.ts';
import { dictionaryFromJson, dictionaryToJson } from '../wire/ng-message.ts';
import type { AdminSource } from './source.ts';

/** As much as a datagram could bring. */
export const NG_BODY_BYTES_MAX = 65_536;

/** Must be added before the limit for other bodies, which is lower. A carried-out command gets 200, whatever its `result`. */
export function addNgRoute(app: Hono, source: AdminSource): void {
  const limit = bodyLimit({
    maxSize: NG_BODY_BYTES_MAX,
    onError: (c) => reply(c, ngError(`The body must be at most ${NG_BODY_BYTES_MAX} bytes`), 413),
  });
  app.post('/ng', limit, async (c) => {
    const command = dictionaryFromJson(await c.req.text());
    if (!command) return reply(c, ngError('The body must be a JSON object'), 400);
    const result = await source.ng(command);
    return result ? reply(c, result, 200) : reply(c, ngError('The B2BUA is off'), 404);
  });
}

function reply(c: Context, dictionary: BencodeDictionary, status: 200 | 400 | 404 | 413): Response {
  return c.body(dictionaryToJson(dictionary), status, { 'Content-Type': 'application/json' });
}

function ngError(reason: string): BencodeDictionary {
  return { result: 'error', 'error-reason': reason };
}
