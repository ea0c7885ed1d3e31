/**
 * Routes of single nodes under RED.httpNode, which come and go with them. Express has no way to take a route off, so the pack
 * has one handler per app that looks routes up.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NodeAPI } from 'node-red';
import { CodedError } from './errors';

/** The request's body has not been read. */
export type RouteHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

type Routes = Map<string, RouteHandler>;
const routesOf = new WeakMap<object, Routes>();

export interface Route {
  /** As clients see it: below httpNodeRoot. */
  path: string;
  remove: () => void;
}

/**
 * Serves one method of one path, matched exactly and in any case of letters.
 * @param path begins with a slash
 * @throws CodedError CONFIG_INVALID where Node-RED serves nothing for nodes (httpNodeRoot is false) or the path is taken
 */
export function addRoute(RED: NodeAPI, method: 'GET' | 'POST', path: string, handler: RouteHandler): Route {
  const root = (RED.settings as { httpNodeRoot?: string | false }).httpNodeRoot;
  if (root === false) {
    throw new CodedError('CONFIG_INVALID', 'Node-RED serves no HTTP for nodes: httpNodeRoot is false in its settings. Set it to a path, such as "/"');
  }
  const routes = routesOf.get(RED.httpNode) ?? install(RED);
  const key = keyOf(method, path);
  if (routes.has(key)) throw new CodedError('CONFIG_INVALID', `another node serves ${path} already`);
  routes.set(key, handler);
  return { path: `${(root ?? '/').replace(/\/+$/, '')}${path}`, remove: () => routes.delete(key) };
}

const keyOf = (method: string, path: string): string => `${method} ${path.toLowerCase()}`;

function install(RED: NodeAPI): Routes {
  const routes: Routes = new Map();
  routesOf.set(RED.httpNode, routes);
  RED.httpNode.use((request, response, next) => {
    const handler = routes.get(keyOf(request.method, request.path));
    if (handler) void handler(request, response);
    else next();
  });
  return routes;
}
