import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { NodeAPI } from 'node-red';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addRoute } from '../../../nodes/kit/http-node';

type App = (...args: unknown[]) => void;
const express = createRequire(createRequire(import.meta.url).resolve('node-red'))('express') as () => App;

let app: App;
let base: string;
let end: () => void;
beforeEach(async () => {
  app = express();
  const server = createServer((request, response) => app(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  end = () => {
    server.close();
    server.closeAllConnections();
  };
});
afterEach(() => end());

const red = (httpNodeRoot: string | false | undefined = '/'): NodeAPI => ({ httpNode: app, settings: { httpNodeRoot } }) as unknown as NodeAPI;
const status = async (path: string, method = 'POST'): Promise<number> => (await fetch(`${base}${path}`, { method })).status;

test('a route answers its own method and path, until it is removed', async () => {
  const route = addRoute(red(), 'POST', '/hook/a', (_, response) => void response.writeHead(204).end());
  expect(await status('/hook/a')).toBe(204);
  expect(await status('/HOOK/a?x=1')).toBe(204);
  expect(await status('/hook/a', 'GET')).toBe(404);
  expect(await status('/hook/ab')).toBe(404);
  route.remove();
  expect(await status('/hook/a')).toBe(404);
});

test('the app is given one handler, however many routes come and go', () => {
  let installed = 0;
  const counting = { httpNode: { use: () => installed++ }, settings: {} } as unknown as NodeAPI;
  for (let time = 0; time < 100; time++) addRoute(counting, 'GET', '/a', () => undefined).remove();
  expect(installed).toBe(1);
});

test.each([
  ['/', '/hook'],
  ['/red/', '/red/hook'],
  [undefined, '/hook'],
])('below httpNodeRoot %s it is %s to clients', (root, path) => {
  expect(addRoute(red(root), 'GET', '/hook', () => undefined).path).toBe(path);
});

test('a path that is taken, and a Node-RED that serves nothing for nodes, are told of', () => {
  addRoute(red(), 'POST', '/hook', () => undefined);
  expect(() => addRoute(red(), 'POST', '/hook', () => undefined)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  expect(() => addRoute(red(false), 'POST', '/other', () => undefined)).toThrow(/httpNodeRoot/);
});
