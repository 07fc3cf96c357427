import { it } from 'vitest';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { startAdminServer } from '../../../src/admin/server.ts';
import { busySource } from '../admin/sample-data.ts';
it('x', async () => {
  const source = busySource(Date.now());
  source.current; let n = 0; const real = Date.now;
  // ten minutes of traffic in a moment
  const base = real() - 600_000; 
  const t = { a: 0, b: 0 }; 
  source.traffic = () => ({ packetsClientToPeer: t.a / 200, bytesClientToPeer: t.a, packetsPeerToClient: t.b / 200, bytesPeerToClient: t.b });
  const links = source.linksKnown.map((l) => ({ ...l }));
  source.links = () => links;
  const perf = performance.now.bind(performance); let skew = -600_000;
  performance.now = () => perf() + skew; Date.now = () => real() + skew;
  const setI = globalThis.setInterval; let tick: any;
  globalThis.setInterval = ((f: any, ms: number) => { if (ms === 1000) { tick = f; } return setI(f, ms); }) as any;
  const server = await startAdminServer({ http: { address: '127.0.0.1', port: 0 }, token: null }, source, pino({ level: 'silent' }));
  globalThis.setInterval = setI;
  const step = () => { n++;
    t.a += 2_100_000 * (1 + 0.3 * Math.sin(n / 60)); t.b += 2_000_000 * (1 + 0.3 * Math.sin(n / 60 + 0.2));
    const calls = 30 + Math.round(12 * Math.sin(n / 90)) + (Math.floor(n / 47) % 3) * 5;
    for (const [i, l] of links.entries()) { const b = calls * 10_750; (l as any).bytesReceived += b * (i ? 0.97 : 1); (l as any).bytesSent += b * (i ? 1 : 0.97); (l as any).packetsReceived += calls * 50; (l as any).packetsSent += calls * 50; (l as any).activeLegs = calls; } };
  for (let i = 0; i < 600; i++) { skew += 1000; step(); tick(); }
  skew = 0; const s2 = setI(step, 1000);
  const r = await promisify(execFile)('node', ['test/interop/screenshots.mjs', `http://127.0.0.1:${server.port}`, process.env.OUT ?? '/tmp/shots']);
  console.log(r.stdout, r.stderr); clearInterval(s2);
  await server.close();
}, 120000);
