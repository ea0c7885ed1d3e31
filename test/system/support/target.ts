/** What the suites run on: a Node-RED, a Node.js, and the pack installed for both. */
import 'vitest';

export interface Target {
  /** For titles: `Node-RED 4.1 on Node 20`. */
  name: string;
  /** Path of the node binary. */
  node: string;
  /** Path of Node-RED's `red.js`. */
  red: string;
  /** The packed pack. */
  tarball: string;
  /** A user directory in which the pack was installed; its `node_modules` is shared by the tests, nothing else is. */
  installed: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    targets: Target[];
  }
}
