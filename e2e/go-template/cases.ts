/** Hand-picked templates, most of them after Go's own tests, with data that can be said in JSON. */

/** Templates that are rendered with the same data. */
export interface CaseGroup {
  /** JSON; a text, because integers beyond 2^53 must keep their digits. */
  readonly data: string;
  readonly templates: readonly string[];
}

const T = `{
  "True": true, "I": 17, "X": "x", "S": "xyz", "F": 1.5, "FloatZero": 0.0, "U": {"V": "v"}, "NIL": null,
  "SI": [3, 4, 5], "SIEmpty": [], "SB": [true, false], "MSI": {"one": 1, "two": 2, "three": 3},
  "MSIone": {"one": 1}, "MSIEmpty": {}, "SMSI": [{"one": 1, "two": 2}, {"eleven": 11, "twelve": 12}],
  "Empty3": [7, 8], "Mixed": [1, "a", 2.5, null, true, [1, "b"], {"k": null, "a": "z"}],
  "Big": 9007199254740993, "Min": -9223372036854775808, "Max": 9223372036854775807, "Over": 9223372036854775808,
  "E": 1e3, "Huge": 1e300, "Tiny": 1.5e-9, "Neg": -3, "Han": "你好，世界", "Emoji": "a😀b", "Q": "it's \\"<&>\\"\\n\\t",
  "N1": 123456789.25, "N2": 0.000012345, "N3": 1e21, "N4": 100000.5, "Empty": "", "False": false, "Zero": 0,
  "__proto__": "p", "constructor": {"name": "c"}, "toString": 1, "Nested": {"a": {"b": {"c": [1, 2, {"d": "deep"}]}}},
  "Keys": {"b": 1, "a": 2, "B": 3, "ä": 4, "😀": 5, "ﬀ": 6, "10": 7, "9": 8, "": 9}
}`;

const values = [
  ".True", ".I", ".X", ".S", ".F", ".FloatZero", ".U", ".NIL", ".SI", ".SIEmpty", ".MSI", ".MSIEmpty", ".SMSI",
  ".Mixed", ".Big", ".Min", ".Max", ".Over", ".E", ".Huge", ".Tiny", ".Neg", ".Han", ".Emoji", ".Q", ".N1", ".N2",
  ".N3", ".N4", ".Empty", ".Zero", ".Keys", "(index .S 1)", "(slice_to_index_map .SI 9)", "'x'", "1.0", "-0.0", "1e6",
  "nil", "(print .Mixed)",
];
const formats = [
  "%v", "%+v", "%#v", "%T", "%d", "%s", "%q", "%x", "%X", "%o", "%O", "%b", "%c", "%U", "%e", "%E", "%f", "%F", "%g",
  "%G", "%t", "%w", "%z", "%#x", "%#q", "%+q", "%#U", "%#o", "%#b", "% d", "%+d", "%08d", "%-8d|", "%8v|", "%-8v|",
  "%08v|", "%.2f", "%8.3f|", "%+.2e", "%.3s", "%10.2s|", "%-10s|", "%.0f", "%.1g", "%.10g", "%#g", "%#.3g", "%#v|%#v",
  "% x", "%# x", "%+x", "%x|", "%.3d", "%8.3d|", "%+08.2f", "%-+8.1f|", "%6q|", "%.2q", "%06q", "%.3x", "%8x|", "% X",
  "%#e", "%#f", "%.0e", "%#.0f", "%+g", "% g", "%020g", "%.15g", "%.17g", "%.25f", "%.4b", "%.4x",
];

const printf = values
  .filter((value) => value !== "nil")
  .flatMap((value, index) =>
    formats.filter((_, at) => (at + index) % 4 === 0 || at < 6).map((format) => `{{printf "${format}" ${value}}}`),
  );

/** Everything. */
export const groups: readonly CaseGroup[] = [
  { data: T, templates: values.map((value) => `<{{${value}}}> {{print ${value}}} {{printf "%v" ${value}}}`) },
  { data: T, templates: printf },
  {
    data: T,
    templates: [
      // printf's own language
      '{{printf "%d %d" 1}}', '{{printf "%d" 1 2}}', '{{printf "%d" 1 "a" nil .SI}}', '{{printf "%!" 1}}',
      '{{printf "%"}}', '{{printf "100%%"}}', '{{printf "%[2]d %[1]d" 1 2}}', '{{printf "%[3]d" 1 2}}',
      '{{printf "%[1]d %d" 1 2}}', '{{printf "%[x]d" 1}}', '{{printf "%[1" 1}}', '{{printf "%[]d" 1}}',
      '{{printf "%*d|" 5 42}}', '{{printf "%-*d|" 5 42}}', '{{printf "%*d|" -5 42}}', '{{printf "%*d" "a" 42}}',
      '{{printf "%.*f" 2 3.14159}}', '{{printf "%.*f" -1 3.14159}}', '{{printf "%[2]*[1]d|" 12 6}}',
      '{{printf "%[3]*.[2]*[1]f|" 12.0 2 6}}', '{{printf "%6.*f|" "b" 1.5}}', '{{printf "%5%|"}}',
      '{{printf "%.2147483648d" 1}}', '{{printf "%[2]2d" 1 2}}', '{{printf "%[1].2d" 1}}', '{{printf "%.[2]*[1]d" 7 3}}',
      '{{printf "%d %s" .Mixed .Mixed}}', '{{printf "%q" .Mixed}}', '{{printf "%x" .Mixed}}', '{{printf "%5d|" .SI}}',
      '{{printf "%#v" .Mixed}}', '{{printf "%#v" .Nested}}', '{{printf "%T %T %T" 1 1.0 "a"}}', '{{printf "%v" nil}}',
      '{{printf "%d" nil}}', '{{printf "%T" nil}}', '{{printf "%s" nil}}', '{{printf "%6v|" nil}}',
      '{{printf "%#v" (slice_to_index_map .SI 9)}}', '{{printf "%v" (slice_to_index_map .SI 9)}}',
      '{{printf "%c%c" 20320 22909}}', '{{printf "%c" -1}}', '{{printf "%q" 128512}}', '{{printf "%+q" "é你😀"}}',
      '{{printf "%U %#U" 128512 128512}}', '{{printf "%U" -1}}', '{{printf "%x" "你好"}}', '{{printf "%.2s|" "你好世界"}}',
      '{{printf "%5s|%-5s|" "你好" "你好"}}', '{{printf "%05s|" "ab"}}', '{{printf "%-05d|" 7}}', '{{printf "%+-8.3d|" 7}}',
      '{{printf "%t %t" true false}}', '{{printf "%t" 1}}', '{{printf "%d" true}}', '{{printf "%s" 1.5}}',
      '{{printf "%p" 1}}', '{{printf "%v%%" 50}}', '{{printf "%d"}}', '{{printf "a%"}}', '{{printf "%-"}}',
      '{{printf "%.d" 5}}', '{{printf "%.f" 5.5}}', '{{printf "%.0f %.0f %.0f" 0.5 1.5 2.5}}', '{{printf "%." 3}}',
      '{{printf "%.1f" 0.25}}', '{{printf "%.1f" 0.35}}', '{{printf "%.20f" 0.1}}', '{{printf "%.50e" 1e-300}}',
      '{{printf "%e" 0.0}}', '{{printf "%g %g" 100000.0 1000000.0}}', '{{printf "%g" 1e-5}}', '{{printf "%G" 1e-10}}',
      '{{printf "%x %X" 3.5 -3.5}}', '{{printf "%.2x" 1.999}}', '{{printf "%b" 1.0}}', '{{printf "%.3x" 0.0}}',
      '{{printf "%x" 1e-310}}', '{{printf "%#v %#v" 1.0 1e9}}', '{{printf "%v" 5e-324}}', '{{printf "%v" 1.7976931348623157e308}}',
      '{{printf "%6.2f|%-8.2f|%08.2f|" 3.14159 3.14159 -3.14159}}', '{{printf "%w" .SI}}', '{{printf "%#w" .S}}',
      '{{printf "%你" 1}}', '{{printf "你%d好" 1}}', '{{printf .X}}', '{{printf .I}}', '{{printf nil}}', '{{printf}}',
      '{{printf 1}}', '{{printf true}}', '{{printf .NIL}}', '{{.NIL | printf}}', '{{.Missing | printf}}', "{{'x'|printf}}",
      '{{1.5|printf}}', '{{"%d" | printf "%s"}}', '{{print}}', '{{println}}|', '{{print nil}}', '{{print 1 2 "a" "b" 3 4}}',
      '{{println "a" 1 nil .SI}}', '{{print .SI .MSI}}', '{{print "a" nil "b"}}', '{{print 1.0 2.50 1e10}}',
    ],
  },
  {
    data: T,
    templates: [
      // texts, comments, trimming
      "", "some text", "{{nil}}", "a{{/* c */}}b", "a {{- /* c */ -}} b", "a{{/* c }}", "{{/*a*/ }}x", "{{/* a */-}} x",
      "x \n {{- .I -}} \n y", "x {{- 3}}", "{{-3}}", "{{- 3 -}}  y", "{{ 3 -}}", "{{3 -}} \t\n z", "{{3-}}", "x{{ -}}y",
      "{{- -}}", "{{\n.I\n}}", "{{.I\n-}}\n\n y", '{{"a" -}} {{- "b"}}', "{{", "}}", "{{}}", "{{ }}", "{{.I", "{{.I }", "{{{.I}}}",
      '{{"}}"}}', "{{`{{`}}", "{{/* multi\nline */}}after", "{{if true -}} a {{- end}} b", "line\n{{range .SI}}\n{{- .}}\n{{- end}}",
      "# {{.X}} #", "\r\n{{- .X -}}\r\n", "日本{{.X}}語", "{{ .X}}{{ .X }}{{.X }}",
      // constants
      "{{1234}} {{12_34}} {{0b101}} {{0b_1_0_1}} {{0B11}} {{0377}} {{0o377}} {{0o_3_7_7}} {{0O7}} {{0x123}} {{0x1_23}} {{0X1F}}",
      "{{123.4}} {{0_0_1_2_3.4}} {{+0x1.ep+2}} {{+0x_1.e_0p+0_2}} {{.5}} {{5.}} {{1e3}} {{1E-3}} {{+5}} {{-5}} {{-0}} {{-0.0}}",
      "{{'a'}} {{'\\n'}} {{'\\''}} {{'你'}} {{'\\x41'}} {{'\\u4f60'}} {{'\\U0001F600'}} {{'\\101'}}",
      "{{''}}", "{{'ab'}}", "{{'\\\"'}}", "{{'\\q'}}", "{{'a}}", "{{089}}", "{{0x}}", "{{0b2}}", "{{0xg}}", "{{1_}}", "{{1__2}}", "{{_1}}",
      "{{1e}}", "{{1e400}}", "{{9223372036854775807}}", "{{9223372036854775808}}", "{{18446744073709551615}}",
      "{{18446744073709551616}}", "{{-9223372036854775808}}", "{{-9223372036854775809}}", "{{1.2.3}}", "{{1a}}", "{{3.a}}", "{{+}}", "{{-}}", "{{0x1p4}}",
      "{{0x1.8}}", "{{0x1p}}", "{{1p3}}", "{{print 0xef 0xEE 0Xe}}", '{{printf "%T" 0xef}} {{printf "%T" 1e1}} {{printf "%T" 0x1p1}}',
      '{{"a\\tb\\n\\"q\\" \\u4f60 \\U0001F600 \\x41 \\101"}}', "{{`raw \\n {{ }}`}}", "{{`raw\nline`}}", '{{"\\q"}}', '{{"\\u12"}}', '{{"\\ud800"}}',
      '{{"\\xe4\\xbd\\xa0"}}', '{{"a', '{{"a\n"}}', "{{`a", '{{"\\400"}}', '{{"\\\'"}}', '{{"a" "b"}}', "{{true}} {{false}}", "{{true 1}}", "{{nil | print}}",
      // fields
      "{{.X}}", "{{.U.V}}", "{{.Missing}}", "{{.U.Missing}}", "{{.Missing.More}}", "{{.I.x}}", "{{.X.y.z}}", "{{.SI.x}}", "{{.NIL.x}}", "{{.NIL.x.y}}",
      "{{.MSI.one 1}}", "{{1 | .MSI.one}}", "{{.__proto__}} {{.constructor}} {{.constructor.name}} {{.toString}}", "{{.hasOwnProperty}}",
      "{{.U.constructor}}", "{{.U.__proto__}}", "{{.Nested.a.b.c}}", "{{.Nested.a.b.c.d}}", "{{(index .Nested.a.b.c 2).d}}", "{{(.Nested).a.b}}",
      "{{($).X}} {{$.X}} {{$.U.V}} {{($.U).V}}", "{{(.NIL).x}}", "{{(.Missing).x}}", "{{(1).x}}", "{{(nil).x}}", '{{("a").x}}', "{{1.x}}", '{{"a".x}}', "{{nil.x}}",
      "{{true.x}}", "{{..x}}", "{{.x.}}", "{{.1x}}", "{{.a-b}}", "{{.é}}", "{{$.Nope}}", "{{(.SI).x}}", "{{(index .SMSI 0).one}}", "{{(index .SMSI 0).nope}}",
      "{{(index .SI 0).x}}", "{{.X.}}", "{{.X .}}", "{{ .U .V }}", "{{.U . V}}", "{{printf \"%v\" .Missing}}", "{{print .Missing}}",
      // variables
      "{{$x := 1}}{{$x}}", "{{$x := 2}}{{$x = 3}}{{$x}}", "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "{{$x := 1}}{{if true}}{{$x := 2}}{{if true}}{{$x = 3}}{{end}}{{end}}{{$x}}",
      "{{$x}}", "{{$x = 1}}", "{{$x = 1}}{{$x}}", "{{if $x := 1}}{{$x}}{{end}}{{$x}}", "{{$x := nil}}", "{{$x := .NIL}}{{$x}}", "{{$x := .NIL}}{{$x.a}}", "{{$x := .U}}{{$x.V}}",
      "{{$x := 1}}{{$x 2}}", "{{$x := 1}}{{3 | $x}}", "{{$x := 1}}{{$x.y}}", "{{$x, $y := 1}}", "{{$x, 1}}", "{{$x :=}}", "{{$x : 1}}", "{{$x := 1 | print}}{{$x}}", "{{$}}",
      "{{$ := 1}}{{$}}", "{{$x := .X}}{{$y := $x}}{{$y}}{{$x}}", "{{$x:=1}}{{$x}}", "{{$x:= (1)}}{{$x}}", "{{$1 := 1}}{{$1}}", "{{$x := true}}{{with .U}}{{$x}}{{.V}}{{end}}", "{{$x.y := 1}}",
      "{{with $x := 1}}{{$x := 2}}{{$x}}{{end}}", "{{$x := (1.0)}}{{$y := (\"hello\")}}{{$x.anything}}{{$y.true}}", "{{$i := 0}}{{$x := 0}}{{range $i = .SI}}{{end}}{{$i}}",
      "{{$k := 0}}{{$v := 0}}{{range $k, $v = .SI}}{{$k}}={{$v}} {{end}}", "{{range $i, $i = .SI}}{{end}}", "{{$a := 0}}{{range .SI}}{{$a = .}}{{end}}{{$a}}", "{{range $a = .SI}}{{end}}",
    ],
  },
  {
    data: T,
    templates: [
      // if, with
      ...values.map((value) => `{{if ${value}}}TRUE{{else}}FALSE{{end}} {{with ${value}}}{{.}}{{else}}NONE{{end}} {{not ${value}}}`),
      "{{if true}}a{{end}}", "{{if false}}a{{else if true}}b{{end}}", "{{if eq 1 3}}1{{else if eq 2 3}}2{{else if eq 3 3}}3{{else}}4{{end}}", "{{if}}a{{end}}", "{{if true}}a", "{{if true}}a{{else}}",
      "{{if true}}a{{else}}b{{else}}c{{end}}", "{{else}}", "{{end}}", "{{if true}}{{end}}{{end}}", "{{if .X}}{{else if}}{{end}}", "{{if false}}{{else with true}}{{end}}", "{{with 0}}{{.}}{{else with true}}{{.}}{{end}}",
      "{{with 0}}{{.}}{{else with false}}{{.}}{{else with `x`}}{{.}}{{else}}no{{end}}", "{{with 0}}{{else if true}}{{end}}", "{{with .U}}{{.V}}{{$.X}}{{end}}{{.X}}", "{{with $x := .U}}{{$x.V}}{{end}}", "{{with .Missing}}a{{else}}b{{end}}",
      "{{if $x := true}}{{with $y := .I}}{{$x}},{{$y}}{{end}}{{end}}", "{{if $x := true}}{{with $x := .I}}{{$x}},{{end}}{{$x}}{{end}}", "{{if and true .X | not}}a{{else}}b{{end}}", "{{if true | not | and 1}}T{{else}}F{{end}}",
      "{{with .SI}}{{.x}}{{end}}", "{{with .X}}{{.x}}{{end}}", "{{with nil}}{{end}}", "{{if nil}}{{end}}", "{{if (nil)}}{{end}}", "{{if true}}a{{end if}}", "{{if true x}}", "{{if .X }}\n{{.I}}\n{{ end }}",
      // range
      "{{range .SI}}-{{.}}-{{end}}", "{{range .SIEmpty}}a{{else}}EMPTY{{end}}", "{{range .NIL}}a{{else}}NIL{{end}}", "{{range .Missing}}a{{end}}", "{{range .MSI}}{{.}},{{end}}", "{{range $k, $v := .MSI}}{{$k}}={{$v}} {{end}}",
      "{{range $k, $v := .Keys}}{{$k}}={{$v}} {{end}}", "{{range $x := .SI}}<{{$x}}>{{end}}", "{{range $i, $x := .SI}}<{{$i}}={{$x}}>{{end}}", "{{range $i, $x := .SI}}{{if $i}}, {{end}}{{$x}}{{end}}", "{{range 5}}{{.}}{{end}}", "{{range $v := 3}}{{printf \"%T%d\" $v $v}}{{end}}",
      "{{range 0}}a{{else}}none{{end}}", "{{range -1}}a{{else}}none{{end}}", "{{range $i, $v := 3}}{{end}}", "{{range .I}}.{{end}}", "{{range .F}}{{end}}", "{{range .X}}{{end}}", "{{range true}}{{end}}", "{{range 1.5}}{{end}}", "{{range .Mixed}}[{{.}}]{{end}}",
      "{{range .Mixed}}{{printf \"%T\" .}} {{end}}", "{{range .Mixed}}{{.x}}{{end}}", "{{range .SB}}{{.x}}{{end}}", "{{range $x := .Mixed}}{{$x.y}}{{end}}", "{{range 3}}{{.x}}{{end}}", "{{range $x := 2}}{{$x.y}}{{end}}", "{{range .SMSI}}{{.one}}{{end}}", "{{range .SMSI}}{{range $k, $v := .}}{{$k}}{{$v}}{{end}};{{end}}",
      "{{range .SI}}{{break}}x{{end}}", "{{range .SI}}{{.}}{{continue}}x{{end}}", "{{range .SI}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}", "{{range .SI}}{{if eq . 4}}{{continue}}{{end}}{{.}}{{else}}E{{end}}", "{{break}}", "{{continue}}", "{{if true}}{{break}}{{end}}", "{{range .SI}}{{break 1}}{{end}}",
      "{{range .SI}}{{range $.SB}}{{.}}{{break}}{{end}}{{.}}{{end}}", "{{range .SI}}{{.}}{{range $.SIEmpty}}{{else}}{{break}}x{{end}}y{{end}}", "{{range .SI}}{{.}}{{range $.SIEmpty}}{{else}}{{continue}}x{{end}}y{{end}}", "{{range .SI}}{{with $.X}}{{.}}{{break}}{{end}}{{end}}{{.I}}", "{{range .SI}}{{else}}{{break}}{{end}}",
      "{{range .SI}}{{define \"a\"}}{{break}}{{end}}{{end}}", "{{range $x, $y, $z := .SI}}{{end}}", "{{range $x, := .SI}}{{end}}", "{{range $x,}}{{end}}", "{{range $x, 1}}{{end}}", "{{range}}{{end}}", "{{range .SI}}", "{{range (slice_to_index_map .SI 9)}}{{.}},{{end}}", "{{range $k, $v := (slice_to_index_map .SI 9)}}{{$k}}:{{$v}} {{end}}",
      "{{range $i, $c := .SI}}{{$i}}{{end}}{{$i}}", "{{range .SI}}{{$x := .}}{{$x}}{{end}}{{$x}}", "{{range $k, $v := .Nested}}{{$k}}{{$v}}{{end}}", "{{range index .Mixed 5}}{{.}};{{end}}", "{{range (index .S 0)}}{{end}}", "{{range slice .SI 1}}{{.}}{{end}}",
      // templates
      '{{define "a"}}[{{.}}]{{end}}{{template "a" .X}}{{template "a"}}{{template "a" .SI}}', '{{template "a"}}', '{{template "a" .}}{{define "a"}}{{.I}}{{$.X}}{{end}}', '{{define "a"}}{{$x}}{{end}}', '{{$x := 1}}{{define "a"}}{{$x}}{{end}}', '{{template a}}', "{{template `a`}}{{define `a`}}raw{{end}}",
      '{{define "a"}}1{{end}}{{define "a"}}2{{end}}', '{{define "a"}} {{end}}{{define "a"}}2{{end}}{{template "a"}}', '{{define "a"}}1{{end}}{{define "a"}} {{/* c */}}{{end}}{{template "a"}}', '{{block "b" .U}}{{.V}}{{end}}', '{{block "b" .}}{{.X}}{{end}}{{template "b" .}}', '{{block "b"}}{{end}}', '{{block b .}}{{end}}', '{{define}}{{end}}',
      '{{define "a" .}}{{end}}', '{{define "a"}}', '{{define "a"}}{{else}}{{end}}', '{{block "a" .}}{{else}}{{end}}', '{{define "a"}}{{define "b"}}{{end}}{{end}}', '{{if true}}{{define "a"}}x{{end}}{{end}}', '{{define "t"}}self{{end}}', '{{define "t"}}self{{end}}main', '{{template "a" 1 2}}{{define "a"}}{{end}}', '{{template "a" $y := 1}}{{$y}}{{define "a"}}{{.}}{{end}}',
      '{{define "a"}}{{.x}}{{end}}{{template "a" .I}}', '{{define "a"}}{{.x}}{{end}}\n\n{{template "a" .U}}', '{{define "a"}}{{.x}}{{end}}{{template "a"}}', '{{define "a%d"}}{{.x}}{{end}}{{template "a%d" 1}}', '{{template "\\q"}}', '{{define "r"}}{{if .}}({{template "r" index . "n"}}){{end}}{{end}}{{template "r" .MSIEmpty}}', '{{template "a" | print}}', '{{define "a"}}{{end}}{{template "a" "%d%s" }}x',
      '{{range .SI}}{{template "e" .}}{{end}}{{define "e"}}<{{.}}>{{end}}', '{{range .SMSI}}{{template "e" .}}{{end}}{{define "e"}}<{{.one}}>{{end}}', '{{with .SI}}{{template "x"}}{{end}}',
    ],
  },
  {
    data: T,
    templates: [
      // comparison and logic
      "{{eq 1 1}} {{eq 1 2}} {{eq 1 2 3 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}}", '{{eq "a" "a"}} {{lt "a" "b"}} {{gt "你" "a"}} {{eq 1.5 1.5}} {{lt 1.5 2.5}} {{eq true true}}',
      "{{eq 1 1.0}}", "{{eq 1 .F}}", '{{eq 1 "a"}}', "{{eq true 1}}", "{{lt 1 1.5}}", "{{lt true false}}", "{{le true true}}", "{{gt true true}}", "{{eq}}", "{{eq 1}}", "{{ne 1}}", "{{ne 1 2 3}}", "{{lt 1}}", "{{1 | eq 1}} {{2 | lt 1}}", "{{1 | eq}}",
      "{{eq .SI .SI}}", "{{eq .MSI .MSI}}", "{{eq .SI .MSI}}", "{{eq .MSI .SI}}", "{{eq .SI 1}}", "{{eq 1 .SI}}", "{{eq .NIL nil}}", "{{eq nil nil}}", "{{eq .NIL 1}}", "{{eq 1 nil}}", "{{eq .SI nil}}", "{{eq nil .SI}}", "{{eq .Missing nil}}", "{{ne .NIL nil}}", "{{lt nil 1}}", "{{lt 1 nil}}", "{{lt .SI .SI}}", "{{lt .SI 1}}",
      "{{eq (index .S 0) 120}} {{eq 120 (index .S 0)}} {{lt (index .S 0) 121}} {{lt 5 (index .S 0)}} {{eq -1 (index .S 0)}}", "{{eq (index .S 0) \"x\"}}", "{{eq .Big 9007199254740993}} {{eq .Big 9007199254740992}} {{lt .Big .Max}} {{lt .Min .Max}}", "{{eq .Over 9223372036854775808.0}}", "{{gt .Over .Max}}",
      "{{eq .Han \"你好，世界\"}} {{lt \"ﬀ\" \"😀\"}} {{lt \"😀\" \"ﬀ\"}}", "{{eq (slice_to_index_map .SI 1) (slice_to_index_map .SI 1)}}", "{{eq . .}}", "{{eq .SI .Mixed}}", "{{eq 'a' 97}}", "{{eq .E 1000}}",
      "{{and false 0}} {{and 1 0}} {{and 0 true}} {{and 1 1}}", "{{or 0 0}} {{or 1 0}} {{or 0 true}} {{or 1 1}}", "{{or 0 1 (index .SI 99)}} {{and 1 0 (index .SI 99)}}", "{{or 0 0 (index .SI 99)}}", "{{1 | and 1}} {{0 | and 1}} {{1 | or 0}} {{0 | or 0}}", "{{and}}", "{{or}}", "{{not}}", "{{not 1 2}}", "{{and 1}} {{or 0}}", "{{and nil}}", "{{or nil 1}}",
      "{{and 1 .NIL}}", "{{or .NIL .Missing}}", "{{or .SI \"empty\"}} {{or .SIEmpty \"empty\"}}", "{{and .True .X}}", "{{.NIL | or 0}}", "{{(or .NIL .U).V}}", "{{(and .True .NIL).V}}", "{{not .NIL}} {{not nil}}", "{{(index .SI 99) | or 1}}", "{{and .X .I | printf \"%v\"}}",
      // index, slice, len, call
      "{{index .SI 0}} {{index .SI 1}}", "{{index .SI 10}}", "{{index .SI 3}}", "{{index .SI -1}}", "{{index .SI `hello`}}", "{{index .SI nil}}", "{{index .SI 1.0}}", "{{index .MSI `one`}}", "{{index .MSI `XXX`}}", "{{index .MSI 10}}", "{{index .MSI nil}}", "{{index .SMSI 1 `eleven`}}", "{{index nil 1}}", "{{index .NIL 1}}", "{{index .SI}}", "{{index 1 1}}", "{{index 1}}", "{{index}}",
      "{{index .S 0}} {{index .S 2}}", "{{index .S 3}}", "{{index .S 4}}", "{{index .Han 0}} {{index .Han 14}}", "{{index .Nested `a` `b` `c` 2 `d`}}", "{{index .Mixed 3 1}}", "{{index .Mixed 3}}", "{{index .Missing 1}}", "{{index .U \"__proto__\"}} {{index . \"constructor\" \"name\"}}", "{{index (slice_to_index_map .SI 9) 10}} {{index (slice_to_index_map .SI 9) 1}}", "{{index (slice_to_index_map .SI 9) \"a\"}}", "{{index (slice_to_index_map .SI 9) (index .S 0)}}", "{{(slice_to_index_map .SI 9).x}}", "{{index .SI (index .S 0)}}", "{{index true 1}}", "{{index .F 1}}", "{{index .SI 0 1}}", "{{index .X 0 0}}", "{{0 | index .SI}}",
      "{{slice .SI}} {{slice .SI 1}} {{slice .SI 1 2}} {{slice .SI 1 2 3}} {{slice .SI 3}}", "{{slice .SI -1}}", "{{slice .SI 1 -2}}", "{{slice .SI 1 2 -1}}", "{{slice .SI 2 1}}", "{{slice .SI 2 2 1}}", "{{slice .SI 4 5}}", "{{slice .SI 2 2 5}}", "{{slice .SI 1 1 1 1}}", "{{slice .S}} {{slice .S 0 1}} {{slice .S 1}} {{slice .S 1 2}}", "{{slice .S 1 5}}", "{{slice .S 1 2 2}}", "{{slice .S 2 1}}", "{{slice nil}}", "{{slice .NIL 1}}", "{{slice 1}}", "{{slice .MSI 1}}", "{{slice .SI `a`}}", "{{slice .SI nil}}", "{{slice .Han 0 6}}|{{slice .Han 3 4}}|{{slice .Han 1}}", "{{slice}}", "{{slice .Missing}}", "{{slice .Empty3 0 1}}", "{{len (slice .SI 1)}}",
      "{{len .SI}} {{len .MSI}} {{len .S}} {{len .Han}} {{len .Emoji}} {{len .Empty}} {{len .SIEmpty}} {{len (slice_to_index_map .SI 9)}}", "{{len 3}}", "{{len .NIL}}", "{{len nil}}", "{{len .Missing}}", "{{len}}", "{{len 1 2}}", "{{len .F}}", "{{len true}}", "{{.SI | len}}", "{{len .SI | printf \"%03d\"}}", "{{if gt (len .SI) 2}}many{{end}}", "{{len (index .S 0)}}",
      "{{call nil}}", "{{call}}", "{{call .I}}", "{{call .X 1 2}}", "{{1 | call}}", "{{.S | call}}", "{{call .NIL}}", "{{call (print 1)}}", "{{nil | call}}", "{{.NIL | call}}",
      // html, js, urlquery
      "{{html .Q}} {{js .Q}} {{urlquery .Q}}", "{{html .NIL}} {{html nil}} {{js nil}} {{urlquery nil}}", "{{html 1 2 \"a\" .SI}}", "{{html}} {{js}} {{urlquery}}", "{{\"http://www.example.org/?a=b&c=d e~f*'()!\" | urlquery}}", "{{js \"\\u2028 \\u200b é 😀 <a=b>& \\x00\\x1f\"}}", "{{html \"\\x00<&>\"}}", "{{urlquery .Han .Emoji}}", "{{js .Han .Emoji}}", "{{.X | html | js | urlquery}}", "{{html .Missing}}",
      // functions of the design
      "{{jsonify .}}", "{{jsonify .Mixed}} {{jsonify .Keys}} {{jsonify .Q}} {{jsonify nil}} {{jsonify .NIL}}", "{{jsonify .Big}} {{jsonify .Max}} {{jsonify .Over}} {{jsonify .Huge}} {{jsonify .Tiny}} {{jsonify .N3}} {{jsonify 1.0}} {{jsonify -0.0}} {{jsonify 1e20}} {{jsonify 1e21}} {{jsonify 0.000001}} {{jsonify 0.0000001}} {{jsonify (index .S 0)}}", "{{jsonify \"\\x00\\x08\\x0c\\x1f\\x7f\\u2028\\u2029<>&é😀\\\\/\"}}", "{{jsonify (slice_to_index_map .SI 9)}}",
      "{{jsonify (slice_to_index_map .SI -1)}} {{slice_to_index_map .SI -1}}", "{{slice_to_index_map .I 1}}", "{{slice_to_index_map nil 1}}", "{{slice_to_index_map .SI}}", "{{slice_to_index_map .SI `a`}}", "{{slice_to_index_map .SI .X}}", "{{slice_to_index_map .SI 1.0}}", "{{slice_to_index_map .SI 1.5}}", "{{slice_to_index_map .SI nil}}", "{{slice_to_index_map .SI .NIL}}", "{{slice_to_index_map .SI .F}}", "{{1 | slice_to_index_map .SI}}", "{{.X | slice_to_index_map .SI}}", "{{slice_to_index_map .SI 'a'}}", "{{slice_to_index_map .SI (index .S 0)}}",
      "{{make_json_object `b` 1 `a` .SI}}", "{{jsonify (make_json_object `b` 1 `a` .SI `<` nil)}}", "{{make_json_object `b`}}", "{{make_json_object}}", "{{(make_json_object `b` .U).b.V}}", "{{(make_json_object `b` 1).c}}", "{{make_json_object 1 2 true nil}}", "{{jsonify (make_json_object `__proto__` 1)}}", "{{jsonify}}", "{{jsonify 1 2}}", "{{jsonify .Missing}}", "{{range $k, $v := make_json_object `z` 1 `y` 2}}{{$k}}{{end}}",
      // how calls are refused
      "{{nope}}", "{{nope 1}}", "{{print nope}}", "{{1 | 2}}", "{{1 | print | 2}}", "{{1 | .X}}", "{{.X | nil}}", "{{print | }}", "{{| print}}", "{{print || print}}", "{{(print 1}}", "{{print 1)}}", "{{()}}", "{{(1)}} {{((1))}} {{(print (1) (2 | print))}}", "{{1 2}}", "{{(1) 2}}", "{{print (1) 2}}", "{{print(1)}}", "{{print .X.Y}}", "{{print -1}}", "{{print 1 -1}}", "{{print 1-1}}", "{{print 1,2}}", "{{print #}}", "{{print é}}", "{{print \u0001}}", "{{print \u200b}}",
      "{{print ^}}", "{{.X|print}}", "{{.X| print |print}}", "{{print . | len}}", "{{template \"x\" print}}", "{{print true.x}}", "{{print nil.x}}", "{{ print (nil) }}", "{{print print}}", "{{if 1}}{{print (index .SI 7)}}{{end}}", "a\nb\n  {{printf \"%d\" (index .SI 7)}}", "é你 {{.Missing}}", "a\n😀{{index .SI 7}}", "{{.X}}\n{{.X}}{{.Missing | printf \"%s\"}}", "{{print 1 2 3 4 5\n}}", "{{print \"a long text that is longer than ten\" ^}}", "{{if true}}\n\n{{end}}{{.X\n", "{{\n\n\"abc\n}}", "{{if .X}}\n{{.I\n`}}", "{{.X | printf \"%s %s\" .I}}", "{{with .X}}\n{{- template \"q\" . -}}{{end}}", "{{define \"x\"}}\n{{.I | nope}}{{end}}", "{{/* unclosed", "{{- /* c */ }}", "{{print (1 | 2)}}", "{{print break}}", "{{break x}}", "{{print end}}", "{{.end}} ", "{{$end := 1}}{{$end}}", "{{print range}}", "{{end print}}", "{{else x}}", "{{= 1}}", "{{:= 1}}", "{{: 1}}", "{{print = 1}}", "{{print := 1}}", "{{)}}", "{{(}}", "{{((1)}}", "{{\"a\"|}}", "{{print \"a\" | print \"b\" }}",
    ],
  },
  ...["null", "1", '"text"', "[1,2]", "true", "1.5", "{}", "12", "-0.0", '"\\ud83d\\ude00"', "[]", '""'].map((data) => ({
    data,
    templates: ["{{.}}", "<{{.x}}>", "{{.x.y}}", "{{range .}}{{.}}{{else}}E{{end}}", "{{$}}{{with .}}{{.}}{{end}}", "{{len .}}", "{{jsonify .}}", '{{printf "%T" .}}', "{{index . 0}}", "{{(.).foo}}", "{{$.foo}}", '{{template "a" .}}{{define "a"}}{{.b}}{{end}}'],
  })),
  {
    data: '{"reply_list":["你好","{dyn:1}"],"name":"<b>","messages":[{"role":"user","content":"hi {{.name}}"},{"role":"assistant","content":null}],"n":{"x":[]}}',
    templates: [
      "共有{{ len .reply_list }}个文本。\n输入: {{ jsonify (slice_to_index_map .reply_list 1) }}\n输出:\n",
      "{{range $i, $m := .messages}}{{if $i}}\n{{end}}{{$m.role}}: {{$m.content}}{{end}}",
      "{{range .messages}}{{if .content}}{{.role}}: {{.content}}\n{{end}}{{end}}",
      "{{range .messages}}{{.role | printf \"%-10s\"}}|{{.content | jsonify}}\n{{end}}",
      "{{- range $i, $r := .reply_list }}\n{{ $i }}. {{ $r -}}\n{{ end -}}",
      "{{with .n}}{{range .x}}{{.}}{{else}}nothing for {{$.name}}{{end}}{{end}}",
      "{{.name}} {{html .name}} {{jsonify .}}",
    ],
  },
];
