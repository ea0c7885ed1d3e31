/** Lets the simulated server date its answers by its own clock, as an HTTP server does, and not by this machine's. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AvigilonServer } from '../../../devices/avigilon/avigilon-server';

const CHANNEL = 'http.server.request.start';

/** The returned function ends it. */
export function dateAnswers(server: Pick<AvigilonServer, 'port' | 'now'>, aheadMs = 0): () => void {
  const date = (message: unknown): void => {
    const { response, socket } = message as { response: ServerResponse; socket: Socket };
    if (socket.localPort === server.port) response.setHeader('Date', new Date(server.now() + aheadMs).toUTCString());
  };
  subscribe(CHANNEL, date);
  return () => unsubscribe(CHANNEL, date);
}
