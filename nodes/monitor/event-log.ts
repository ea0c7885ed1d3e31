import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { field } from '../kit/config';
import { CodedError } from '../kit/errors';
import { renderPath } from '../kit/file-name';
import { defineNode } from '../kit/node';
import { compileTemplate } from '../kit/template';
import { LogFiles } from './log-file';
import { LEVELS, entryOf, jsonLine, textLine, type Entry } from './log-line';

const MEGABYTE = 1_000_000;

export = defineNode({
  type: 'event-log',
  config: z.object({
    path: field.text('logs/{{device}}.log'),
    format: field.choice(['text', 'ndjson', 'template'], 'text'),
    template: field.text(''),
    level: field.choice(LEVELS, 'INFO'),
    maxMegabytes: field.number({ min: 0.001, max: 10_000, fallback: 10 }),
    maxFiles: field.number({ min: 1, max: 1000, fallback: 5, integer: true }),
  }),
  start(kit) {
    const { path, format, level, maxMegabytes, maxFiles } = kit.config;
    const pathTemplate = compileTemplate(isAbsolute(path) ? path : join(kit.userDir, path), 'path');
    const line = lineOf(format, kit.config.template);
    const lowest = LEVELS.indexOf(level);

    const unwritable = new Set<string>();
    const files = new LogFiles({
      maxBytes: maxMegabytes * MEGABYTE,
      maxFiles,
      clock: kit.clock,
      random: kit.random,
      onDown: kit.guard((file, error) => {
        unwritable.add(file);
        kit.down(error);
        kit.status('red', 'ring', 'unwritable', { files: unwritable.size });
      }),
      onUp: kit.guard((file) => {
        unwritable.delete(file);
        if (unwritable.size > 0) return;
        kit.up('the log files can be written again');
        kit.status('green', 'dot', 'writing');
      }),
    });

    return {
      async input(msg) {
        kit.counters.received++;
        const entry = entryOf(msg, format === 'template');
        if (LEVELS.indexOf(entry.level) < lowest) {
          kit.counters.filtered++;
          return;
        }
        kit.counters.lastEventAt = kit.clock.now();
        await files.append(renderPath(pathTemplate, entry.view), line(entry));
        if (kit.counters.published++ === 0 && unwritable.size === 0) kit.status('green', 'dot', 'writing');
      },
      close: () => files.close(),
    };
  },
});

function lineOf(format: 'text' | 'ndjson' | 'template', template: string): (entry: Entry) => string {
  if (format === 'text') return textLine;
  if (format === 'ndjson') return jsonLine;
  if (!template) throw new CodedError('CONFIG_INVALID', 'template: must not be empty', { field: 'template' });
  const compiled = compileTemplate(template, 'template');
  return (entry) => compiled.render(entry.view);
}
