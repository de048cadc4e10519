import assert from "node:assert/strict";
import { test } from "node:test";
import { compileSimpleTemplate } from "./simple-template.ts";
import { TemplateError } from "./template-error.ts";
import type { Value } from "./values.ts";

function render(source: string, data: Value, missingKey: "error" | "default" = "error"): string {
  return compileSimpleTemplate(source, { name: "s", missingKey }).render(data);
}

test("variables, paths, indexes", () => {
  const data = {
    name: "你好",
    a: { b: ["x", { c: 1.5 }] },
    n: null,
    t: true,
    big: 9007199254740993n,
    e: 1e21,
    f: 1e-7,
  };
  assert.equal(
    render("{{name}} {{ a.b.0 }}-{{a.b.1.c}}{{n}} {{t}} {{big}} {{f}}", data),
    "你好 x-1.5 true 9007199254740993 1e-7",
  );
  assert.equal(render("{{a}} {{ a.b }}", data), '{"b":["x",{"c":1.5}]} ["x",{"c":1.5}]');
  assert.equal(render("no } braces { }} here", {}), "no } braces { }} here");
  assert.equal(render("{{名字}}{{a-b}}", { 名字: "x", "a-b": "y" }), "xy");
});

test("what is inserted stays text", () => {
  assert.equal(render("{{a}}", { a: "{{b}}<&>" }), "{{b}}<&>");
});

test("what is missing is an error that says where, or nothing", () => {
  assert.throws(() => render("a\n {{x.y}}", { x: {} }), {
    message: "template: s:2:1: the input has no x.y",
    line: 2,
    column: 1,
    code: "invalid_request",
  });
  assert.equal(render("[{{x.y}}]", {}, "default"), "[]");
  for (const key of ["constructor", "__proto__", "a.length", "a.5", "a.-1", "a.b"]) {
    assert.throws(() => render(`{{${key}}}`, { a: ["x"] }), TemplateError);
  }
  assert.equal(render("{{__proto__}}", JSON.parse('{"__proto__":"own"}') as Value), "own");
});

test("braces that hold no variable are refused when it is compiled", () => {
  for (const source of ["{{}}", "{{a b}}", "{{#if a}}", "{{.a}}", "{{a", "{{a..b}}", "{{{a}}}"]) {
    if (source === "{{#if a}}" || source === "{{a b}}") {
      assert.throws(() => compileSimpleTemplate(source, { name: "s" }), /is no variable: write \{\{name\}\}/);
    }
    assert.throws(() => compileSimpleTemplate(source, { name: "s" }), { code: "invalid_configuration" });
  }
});

test("it has the limits and the variables of other templates", () => {
  const template = compileSimpleTemplate("{{b.c}}{{a}}{{b}}", { name: "s" });
  assert.deepEqual(template.variables, ["a", "b"]);
  const data = { a: "x".repeat(100), b: { c: "" } };
  assert.throws(() => template.render(data, { maxOutputBytes: 50 }), { limit: "maxOutputBytes" });
  assert.throws(() => template.render(data, { maxSteps: 1 }), { limit: "maxSteps" });
});
