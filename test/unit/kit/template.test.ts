import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTemplate, oneLine } from '../../../nodes/kit/template';

const render = (template: string, values: Record<string, unknown> = {}): string =>
  compileTemplate(template).render((path) => values[path]);

const refusal = (template: string): unknown => {
  try {
    compileTemplate(template, 'format');
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('compileTemplate', () => {
  it('fills in values by their dotted path', () => {
    expect(render('{{device.id}} saw {{ code }}!', { 'device.id': 'cam-1', code: 'VideoMotion' })).toBe('cam-1 saw VideoMotion!');
  });

  it('lists each path once, in order, and the literal text in front', () => {
    const template = compileTemplate('logs/{{device}}/{{time|local}}-{{device|upper}}.log');
    expect(template.placeholders).toEqual(['device', 'time']);
    expect(template.prefix).toBe('logs/');
    expect(compileTemplate('{{a}}').prefix).toBe('');
    expect(compileTemplate('all.log')).toMatchObject({ placeholders: [], prefix: 'all.log' });
  });

  it.each([
    [0, '0'],
    [1.5, '1.5'],
    [false, 'false'],
    [10n, '10'],
    [null, ''],
    [undefined, ''],
    [{ a: [1, null] }, '{"a":[1,null]}'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [() => 1, ''],
  ])('writes %o as %s', (value, text) => {
    expect(render('{{x}}', { x: value })).toBe(text);
  });

  it('writes the line of the CGI listener', () => {
    const now = new Date(2025, 7, 21, 15, 33, 42);
    const time = new Date(2025, 7, 21, 15, 33, 41);
    const line = '{{now|local-iso}} INFO EVENTO!!! {{code}} [{{action|title}}] ch={{channel}} ts={{time|local}} payload={{data|json}}';
    const values = { now: now.getTime(), time: time.toISOString(), code: 'VideoMotion', action: 'start', channel: 1, data: { index: '1' } };
    expect(render(line, values)).toBe(
      '2025-08-21T15:33:42 INFO EVENTO!!! VideoMotion [Start] ch=1 ts=2025-08-21 15:33:41 payload={"index":"1"}',
    );
  });

  it('has title, upper and json, one after the other where wanted', () => {
    expect(render('{{a|title}} {{a|upper}} {{a|upper|json}} {{none|json}}', { a: 'line crossing' })).toBe(
      'Line Crossing LINE CROSSING "LINE CROSSING" null',
    );
  });

  it('leaves what is not a time as it is', () => {
    expect(render('{{a|local}},{{b|local}},{{c|local}}', { a: 'yesterday', b: null, c: true })).toBe('yesterday,,true');
  });

  it('makes valid JSON lines of JSON templates', () => {
    const values = { id: 'a"b\u2028', data: { n: 1 } };
    expect(JSON.parse(render('{"device":{"id":{{id|json}}},"data":{{data}},"none":{{x|json}}}', values))).toEqual({
      device: { id: 'a"b\u2028' },
      data: { n: 1 },
      none: null,
    });
    expect(render('{{{data}}}', values)).toBe('{{"n":1}}');
  });

  it('does not fail on a value that JSON has no word for', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(render('{{a}} {{b|json}} {{c|json}}', { a: cycle, b: { n: 1n }, c: Symbol('s') })).toBe('null null null');
  });

  it('keeps a hostile value from forging a line', () => {
    expect(render('{{a}}', { a: 'x\r\n2025-01-01 INFO forged\u2028\u2029\u0085\u001b[2J\u202e' })).toBe(
      'x\\r\\n2025-01-01 INFO forged\\u2028\\u2029\\u0085\\u001b[2J\\u202e',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '|title', '|upper', '|json', '|local'), (a, filter) => {
        // eslint-disable-next-line no-control-regex -- none may be left
        expect(render(`{{a${filter}}}`, { a })).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
  });

  it('leaves literal text and harmless values alone', () => {
    expect(render('a\n{b} }:{{x}}', { x: '👩‍👧 ñ {{y}} \\n' })).toBe('a\n{b} }:👩‍👧 ñ {{y}} \\n');
    expect(oneLine('Cámara 1')).toBe('Cámara 1');
  });

  it.each(['{{a', 'a}}', '{{a}', '{a}}', '{{a}}}}', '{{a {{b}}', '{{}}', '{{ |upper}}', '{{a..b}}', '{{a|shout}}', '{{a|}}', '{{a{b}}}'])(
    'refuses %s and names the field',
    (template) => {
      expect(refusal(template)).toMatchObject({ code: 'CONFIG_INVALID', field: 'format' });
    },
  );

  it('names the filters there are', () => {
    expect(refusal('{{a|shout}}')).toMatchObject({ message: expect.stringMatching(/"shout".*title.*local-iso/) });
  });
});
