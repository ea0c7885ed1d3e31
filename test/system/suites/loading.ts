/** The installed pack as the palette and the editor see it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shippedFlows } from '../support/flows';
import { startNodeRed, type NodeRed } from '../support/node-red';
import { PACK, ROOT } from '../support/pack';
import type { Target } from '../support/target';

interface NodeSet {
  id: string;
  name: string;
  types: string[];
  enabled: boolean;
  module: string;
  version: string;
  err?: unknown;
}

type Catalogue = Partial<Record<string, { status?: Record<string, string> }>>;

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  'node-red': { nodes: Record<string, string> };
};
const types = Object.keys(manifest['node-red'].nodes);

/** Everything here only looks, so one process serves all. */
export function loading(target: Target): void {
  describe('the installed pack', () => {
    let red: NodeRed;
    beforeAll(async () => {
      red = await startNodeRed(target);
    });
    afterAll(() => red.dispose());

    test('runs on what its title says', () => {
      const [, nodeRed = '', node = ''] = /Node-RED version: v(\d+\.\d+)[^]*Node\.js +version: v(\d+)/.exec(red.log()) ?? [];
      expect(`Node-RED ${nodeRed} on Node ${node}`).toBe(target.name);
    });

    test('loads without a warning', () => {
      // Node-RED's own words on any start without credentials.
      const usual = /Encrypted credentials not found|Projects disabled/;
      expect(red.log().split('\n').filter((line) => /\[(warn|error)\]/.test(line) && !usual.test(line))).toEqual([]);
    });

    test('is one enabled node set per type', async () => {
      const all = (await red.get('/nodes', { accept: 'application/json' })).json() as NodeSet[];
      const ours = all.filter(({ module }) => module === PACK);
      expect(ours.map(({ name }) => name).sort()).toEqual([...types].sort());
      for (const set of ours) {
        expect(set).toMatchObject({ id: `${PACK}/${set.name}`, types: [set.name], enabled: true, version: manifest.version });
        expect(set.err).toBeUndefined();
      }
    });

    test.each(types)('%s has a form, and texts in three languages', async (type) => {
      const catalogues: Catalogue[] = [];
      for (const language of ['en-US', 'es-ES', 'pt-BR']) {
        const answer = (await red.get(`/locales/${PACK}/${type}?lng=${language}`)).json() as Catalogue;
        const form = (await red.get(`/nodes/${PACK}/${type}`, { accept: 'text/html', 'accept-language': language })).text;
        expect(form, language).toContain(`data-template-name="${type}"`);
        expect(form, language).toContain(`data-help-name="${type}"`);
        catalogues.push(answer);
      }
      const [english, spanish, portuguese] = catalogues.map((catalogue) => JSON.stringify(catalogue));
      expect(new Set([english, spanish, portuguese]).size).toBe(3);
      const [enUs, ...others] = catalogues.map((catalogue) => Object.keys(catalogue.status ?? {}).sort());
      for (const other of others) expect(other).toEqual(enUs);
      expect(enUs).toContain('config');
    });

    test('brings its icons', async () => {
      const icons = (await red.get('/icons')).json() as Record<string, string[] | undefined>;
      const ours = icons[PACK] ?? [];
      expect(ours.length).toBeGreaterThan(0);
      for (const icon of ours) expect((await red.get(`/icons/${PACK}/${icon}`)).status, icon).toBe(200);
    });

    test('lists its flows under examples', async () => {
      expect((await red.get('/library/examples/flows')).json()).toContain(PACK);
      const listed = (await red.get(`/library/examples/flows/${PACK}`)).json() as unknown[];
      expect(JSON.stringify(listed)).toContain('02-cgi-listener');
    });

    test('brings every flow as an example, as it is in the repository', async () => {
      for (const { name, text } of shippedFlows()) {
        const answer = await red.get(`/library/examples/flows/${PACK}/${name}`);
        expect(answer.status, name).toBe(200);
        expect(JSON.parse(answer.text)).toEqual(JSON.parse(text));
      }
    });
  });
}
