import assert from "node:assert/strict";
import { test } from "node:test";
import { standardFunctions } from "./functions/standard.ts";
import { TemplateError } from "./template-error.ts";
import type { LimitName } from "./template-error.ts";
import { compileTemplate } from "./template.ts";
import type { RenderLimits } from "./meter.ts";
import type { Value } from "./values.ts";

// 2026-03-01 is a Sunday
const functions = standardFunctions({
  nowMs: () => Date.UTC(2026, 2, 1, 20, 4, 5, 60),
  estimateTokens: (s) => s.length,
});

function render(source: string, data: Value = {}, limits?: RenderLimits): string {
  return compileTemplate(source, { name: "t", functions }).render(data, limits);
}

function failure(run: () => unknown): TemplateError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof TemplateError, String(error));
    return error;
  }
  return assert.fail("it should have failed");
}

test("the template of the published gateway", () => {
  const source =
    '共有{{ len .reply_list }}个文本。\n输入: {"1": "xxx"}\n用{dyn:xxx}包裹\n输入: {{ jsonify (slice_to_index_map .reply_list 1) }}\n输出:\n';
  assert.equal(
    render(source, { reply_list: ["你好", "{dyn:1}"] }),
    '共有2个文本。\n输入: {"1": "xxx"}\n用{dyn:xxx}包裹\n输入: {"1":"你好","2":"{dyn:1}"}\n输出:\n',
  );
  assert.equal(render("{{ if gt (len .x) 3 }}many{{ else }}few{{ end }}", { x: [1, 2, 3, 4] }), "many");
});

test("errors say where", () => {
  const missing = failure(() => render("a\n你{{ .x.y }}", { x: {} }));
  assert.equal(missing.message, 'template: t:2:8: executing "t" at <.x.y>: map has no entry for key "y"');
  assert.deepEqual([missing.code, missing.line, missing.column], ["invalid_request", 2, 8]);
  const wrong = failure(() => render("a\n{{ if }}"));
  assert.equal(wrong.message, "template: t:2: missing value for if");
  assert.deepEqual([wrong.code, wrong.line], ["invalid_configuration", 2]);
  assert.match(failure(() => render("{{ 1i }}")).message, /imaginary numbers are not supported/);
});

test("values are never read as template", () => {
  assert.equal(render("{{.x}}", { x: "{{.y}}" }), "{{.y}}");
});

test("keys of Object.prototype are keys like others", () => {
  const data = JSON.parse('{"__proto__":{"a":1},"o":{}}') as Value;
  assert.equal(render("{{.__proto__.a}}", data), "1");
  for (const key of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assert.match(failure(() => render(`{{.o.${key}}}`, data)).message, /map has no entry/);
    assert.equal(render(`{{index .o "${key}"}}`, data), "<no value>");
    assert.equal(render(`{{(make_json_object "${key}" 1).${key}}}`), "1");
  }
  assert.equal(
    render('{{$m := dict "__proto__" .o}}{{jsonify $m}}{{range $k, $v := $m}}{{$k}}{{end}}', data),
    '{"__proto__":{}}__proto__',
  );
  assert.equal(({} as Record<string, unknown>)["a"], undefined);
});

test("bigints are exact ints", () => {
  const data = { id: 9007199254740993n, over: 2n ** 63n };
  assert.equal(
    render("{{.id}} {{jsonify .id}} {{add .id 1}} {{printf `%T %x` .id .id}}", data),
    "9007199254740993 9007199254740993 9007199254740994 int 20000000000001",
  );
  assert.equal(render("{{.over}}", data), "9.223372036854776e+18");
});

const HUGE = "x".repeat(100_000);
const MAP = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${HUGE.slice(0, 1_000)}${index}`, 1]));
/** Templates that would take too long or too much, and what must stop them. */
const runaways: readonly (readonly [string, LimitName, RenderLimits?])[] = [
  ["{{range 999999999999}}{{end}}", "maxSteps"],
  ["{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}", "maxSteps"],
  ["{{range 1000000}}xxxxxxxxxx{{end}}", "maxOutputBytes", { maxOutputBytes: 1_000_000 }],
  ["{{range 100}}{{$.huge}}{{end}}", "maxOutputBytes"],
  ["{{define `a`}}{{template `a`}}{{end}}{{template `a`}}", "maxTemplateDepth"],
  ["{{define `a`}}{{template `b`}}{{end}}{{define `b`}}{{template `a` 1}}{{end}}{{template `a`}}", "maxTemplateDepth"],
  ["{{define `a`}}{{if true}}{{template `a`}}{{end}}{{end}}{{template `a`}}", "stack", { maxTemplateDepth: 1e9 }],
  ["{{$x := `x`}}{{range 60}}{{$x = print $x $x}}{{end}}", "maxOutputBytes"],
  ["{{$x := `x`}}{{range 60}}{{$x = printf `%s%s` $x $x}}{{end}}", "maxOutputBytes"],
  ["{{$x := `xx`}}{{range 60}}{{$x = replace `x` $x $x}}{{end}}", "maxOutputBytes"],
  ["{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}{{$x}}", "maxSteps"],
  ["{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}{{jsonify $x}}", "maxSteps"],
  ["{{$x := list 1}}{{range 5000}}{{$x = list $x}}{{end}}{{$x}}", "maxValueDepth"],
  ["{{$x := list 1}}{{range 5000}}{{$x = list $x}}{{end}}{{jsonify $x}}", "maxValueDepth"],
  ["{{range 100000}}{{$x := printf `%999999d` 1}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := printf `%.999999f` 1.5}}{{end}}", "maxSteps"],
  ["{{printf `%999999s%999999s%999999s%999999s%999999s` 1 2 3 4 5}}", "maxOutputBytes"],
  ["{{repeat 999999999 `x`}}", "maxOutputBytes"],
  ["{{indent 999999999 `x`}}", "maxOutputBytes"],
  ["{{range 100000}}{{$x := upper $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := split `` $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := eq $.huge $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := index $.huge 1}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := truncateTokens 5 $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := html $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := len (list $.huge $.huge | jsonify)}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{if $.map}}{{end}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := len $.map}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{range $.map}}{{break}}{{end}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := len $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := contains `y` $.huge}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := printf $.brackets}}{{end}}", "maxSteps"],
  ["{{range 100000}}{{$x := printf `%.1000f` 1e-300}}{{end}}", "maxSteps"],
  ["{{$x := `&`}}{{range 60}}{{$x = html $x $x $x}}{{end}}", "maxOutputBytes"],
];

test("no template holds a worker or fills its memory", () => {
  for (const [source, limit, limits] of runaways) {
    const before = performance.now();
    const error = failure(() => render(source, { huge: HUGE, map: MAP, brackets: "%[".repeat(100_000) }, limits));
    assert.equal(error.limit, limit, `${source}: ${error.message}`);
    const elapsedMs = performance.now() - before;
    assert.ok(elapsedMs < 5_000, source);
  }
  assert.match(failure(() => render("{{range 10}}{{end}}", {}, { maxSteps: 5 })).message, /exceeded maxSteps \(5\)/);
  assert.equal(render("12345", {}, { maxOutputBytes: 5 }), "12345");
  assert.equal(failure(() => render("12345é", {}, { maxOutputBytes: 6 })).limit, "maxOutputBytes");
});

test("sources that nest deep are refused, not crashed on", () => {
  assert.match(failure(() => render(`{{${"(".repeat(2_000)}1${")".repeat(2_000)}}}`)).message, /max expression depth/);
  assert.equal(failure(() => render("{{if true}}".repeat(100_000))).limit, "stack");
});

const expected: readonly (readonly [string, string])[] = [
  ['{{default "d" .none}} {{default "d" .name}} {{.empty | default "e"}}', "d Ann e"],
  ['{{join ", " .list}} {{.list | join "-"}} {{join "," "a"}}', "a, b, 3 a-b-3 a"],
  ['{{range split "," "a,b,,c"}}[{{.}}]{{end}} {{len (splitList "" "你好")}}', "[a][b][][c] 2"],
  ['{{trim " \\t你 \\n"}}|{{upper "aé"}}|{{lower "AÉ"}}', "你|AÉ|aé"],
  ['{{replace "a" "b" "banana"}} {{replace "" "-" "ab"}}', "bbnbnb a-b"],
  ['{{contains "an" .name}} {{hasPrefix "A" "Ann"}} {{hasSuffix "n" "Ann"}}', "false true true"],
  ['{{truncate 2 "你好世界"}} {{truncate -2 "你好世界"}} {{truncate 9 "a"}} {{trunc 1 "😀b"}}', "你好 世界 a 😀"],
  ['{{truncateTokens 3 "abcdef"}} {{truncateTokens 3 "a😀😀"}} {{truncateTokens 9 "abc"}}', "abc a😀 abc"],
  [
    '{{toJson .list}} {{(fromJson "{\\"id\\":12345678901234567890123,\\"n\\":9007199254740993,\\"f\\":0.12345678901234567}").n}}',
    '["a","b",3] 9007199254740993',
  ],
  ['{{b64enc "你好"}} {{b64dec "5L2g5aW9"}}', "5L2g5aW9 你好"],
  ["{{first .list}} {{last .list}} {{first (list)}} {{len (list 1 2)}}", "a 3 <no value> 2"],
  ['{{ternary "y" "n" true}} {{false | ternary "y" "n"}} {{coalesce .none "" 0 "c"}} {{coalesce}}', "y n c <no value>"],
  ['{{quote "a\\"b" 1 nil}} {{indent 2 "a\\nb"}}{{nindent 1 "c"}}', '"a\\"b" "1"   a\n  b\n c'],
  [
    '{{add 1 2 3}} {{add 1 1.5}} {{sub 5 7}} {{mul 2 3}} {{div 7 2}} {{div 7 2.0}} {{mod 7 3}} {{add "2" 3}}',
    "6 2.5 -2 6 3 3.5 1 5",
  ],
  [
    '{{add 9223372036854775807 1}} {{int "12"}} {{int 3.9}} {{printf "%T %v" (float 3) (float "2.5")}}',
    "-9223372036854775808 12 3 float64 2.5",
  ],
  ["{{toString 1.5}}{{toString nil}}|{{toString .list}}", "1.5|[a b 3]"],
  [
    '{{(dict "a" 1 "b").a}}{{jsonify (dict "a" 1 "b")}} {{empty ""}} {{empty 1}} {{repeat 3 "ab"}}',
    '1{"a":1,"b":""} true false ababab',
  ],
  [
    '{{now | date "2006-01-02 15:04:05.000 Mon Jan _2 PM MST -07:00 Z07:00 002"}}',
    "2026-03-01 20:04:05.060 Sun Mar  1 PM UTC +00:00 Z 060",
  ],
  [
    '{{now "Asia/Shanghai" | date "2006-01-02 03:04pm -0700 Monday, January 2, 2006 MST"}}',
    "2026-03-02 04:04am +0800 Monday, March 2, 2026 +08",
  ],
  [
    '{{dateInZone "15:04 MST" (now) "America/New_York"}} {{date "2006-01-02T15:04:05Z07:00" 0}}',
    "15:04 EST 1970-01-01T00:00:00Z",
  ],
  [
    '{{date "06/1/2 3:4:5" "2026-03-01T20:04:05+08:00"}} {{now}} {{jsonify (now)}}',
    '26/3/1 12:4:5 2026-03-01 20:04:05.06 +0000 UTC "2026-03-01T20:04:05.06Z"',
  ],
];

test("the functions beyond Go's", () => {
  const data = { name: "Ann", empty: "", none: null, list: ["a", "b", 3] };
  for (const [source, output] of expected) assert.equal(render(source, data), output, source);
});

test("functions say what they cannot work with", () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["{{div 1 0}}", /error calling div: division by zero/],
    ['{{add "x" 1}}', /"x" is no number/],
    ["{{add .list 1}}", /a value of type \[\]interface \{\} is no number/],
    ['{{fromJson "{"}}', /error calling fromJson: invalid JSON/],
    ['{{fromJson "{1234567890123456789:1}"}}', /error calling fromJson: invalid JSON/],
    ['{{b64dec "*"}}', /not valid base64/],
    ['{{now "Mars/Base"}}', /unknown time zone Mars\/Base/],
    ['{{date "2006" "yesterday"}}', /yesterday is no time/],
    ["{{upper 1}}", /expected string; found 1/],
    ["{{upper .list}}", /wrong type for value; expected string; got \[\]interface \{\}/],
    ["{{first 1}}", /wants a list/],
    ['{{repeat -1 "x"}}', /cannot repeat/],
    ['{{make_json_object "a"}}', /pairs/],
  ];
  for (const [source, message] of refused)
    assert.match(failure(() => render(source, { list: [1] })).message, message, source);
});

test("variables are the input's fields that the source mentions", () => {
  const variables = (source: string) => compileTemplate(source, { name: "t" }).variables;
  assert.deepEqual(variables("{{.b}}{{.a.x}}{{if .c}}{{$.d}}{{end}}{{range .e}}{{.no}}{{$.f}}{{else}}{{.g}}{{end}}"), [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
  ]);
  assert.deepEqual(
    variables('{{with .a}}{{.no}}{{end}}{{with $}}{{.b}}{{end}}{{index . "c"}}{{(.).d}}{{$x := .e}}{{$x.no}}'),
    ["a", "b", "c", "d", "e"],
  );
  assert.deepEqual(
    variables(
      '{{template "t1" .}}{{template "t2" .x}}{{define "t1"}}{{.a}}{{$.b}}{{template "t1" .}}{{end}}{{define "t2"}}{{.no}}{{end}}',
    ),
    ["a", "b", "x"],
  );
});

test("data and compiled templates are not changed by rendering", () => {
  const data = Object.freeze({ list: Object.freeze([3, 1, 2]) });
  const template = compileTemplate("{{$x := .list}}{{range $i, $e := $x}}{{$i}}{{$e}}{{end}}{{$x = 1}}{{$x}}", {
    name: "t",
  });
  assert.equal(template.render(data), template.render(data));
  assert.equal(template.render(data), "0311221");
});
