import { html } from 'hono/html';
import type { NodeStatus, TrafficRates } from './source.ts';

const STYLE = `
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
  caption { text-align: start; font-weight: 600; padding: .4rem 0 }
  th, td { text-align: start; padding: .35rem .6rem; border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent) }
  th { font-weight: 500; width: 35% } td { font-variant-numeric: tabular-nums }
  nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem }
  .problem { border-inline-start: .3rem solid #c62828; padding-inline-start: .7rem }
`;

const REFRESH_SECONDS = 5;

/**
 * `/`: the state of the node at a glance. It loads itself again only where the reader asked for it
 * (WCAG 2.2.1: content must not change under someone who reads slowly).
 */
export async function overviewPage(
  status: NodeStatus,
  traffic: TrafficRates,
  refreshing: boolean,
): Promise<string> {
  const problem = status.healthy
    ? ''
    : html`<p class="problem" role="alert">Not in service: ${status.reason ?? 'reason unknown'}</p>`;
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshing ? html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}">` : ''}
<title>${status.name}: Causeway</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${status.name}</h1>
${problem}
<table>
<caption>TURN server</caption>
${row('State', status.turn.state === 'active' ? 'Active' : 'Inactive')}
${row('Active clients', count(status.turn.activeClients))}
${row('Active relays', count(status.turn.activeRelays))}
</table>
<table>
<caption>B2BUA</caption>
${row('State', status.b2bua.state === 'active' ? 'Active' : 'Inactive')}
${row('Active calls', count(status.b2bua.activeCalls))}
</table>
<table>
<caption>Relayed data now (average of ${traffic.windowSeconds.toFixed(0)} s)</caption>
${row('Clients to peers', rate(traffic.packetsPerSecondClientToPeer, traffic.bitsPerSecondClientToPeer))}
${row('Peers to clients', rate(traffic.packetsPerSecondPeerToClient, traffic.bitsPerSecondPeerToClient))}
</table>
<table>
<caption>Node</caption>
${row('Version', status.version)}
${row('Engine', `${status.engine}, ${count(status.workers)} ${status.workers === 1 ? 'worker' : 'workers'}`)}
${row('Started', status.startTime)}
${row('Up for', duration(status.uptimeSeconds))}
</table>
</main>
<p>${
    refreshing
      ? html`<a href="/">Stop refreshing</a>`
      : html`<a href="/?refresh=on">Refresh every ${REFRESH_SECONDS} seconds</a>`
  }</p>
<nav aria-label="Data">
<ul>
<li><a href="/api/status">Status (JSON)</a></li>
<li><a href="/api/turn">TURN relays (JSON)</a></li>
<li><a href="/api/credentials">Users (JSON)</a></li>
<li><a href="/metrics">Metrics (Prometheus)</a></li>
<li><a href="/healthz">Health</a></li>
</ul>
</nav>
</body>
</html>`;
  return page.toString();
}

function row(name: string, value: string): ReturnType<typeof html> {
  return html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
}

function rate(packetsPerSecond: number, bitsPerSecond: number): string {
  return `${count(packetsPerSecond)} packets/s, ${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const time = new Date((seconds % 86_400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days} d ${time}` : time;
}
