;; A strict scanner of one JSON object (RFC 8259), 16 bytes at a time inside strings.
;; It is the twin of json-scan-plain.ts and must accept exactly the same; it only says yes or no,
;; and no also where it cannot tell; the plain one then decides and says where and why. UTF-8 validity is checked before, by whoever calls it.
;;
;; Memory, in bytes:
;;      0  offset of the closing brace (i32)
;;      4  closers: the byte that closes the array or object at depth d lies at 4 + d; up to depth 1000
;;   1024  where the next window should begin (i32)
;;   1028  1 if a key, at any depth, is written with an escape (i32)
;;   1280  what may follow a backslash, by byte: 1 for one of "\/bfnrt, 2 for u, else 0
;;   1536  1 for a hexadecimal digit, by byte
;;   2048  top-level members, up to 128, four i32 each: key start, key end, value start, value end
;;   4096  the text or a window of it, then 32 bytes, of which the first 16 are set to zero here:
;;         no loop runs past them
;; Offsets that are handed out count from the start of the text. Inside, an offset of 0 means "not valid".
;;
;; Assemble with: node scripts/assemble-json-scan.ts
(module
  (memory (export "memory") 3)
  ;; whether $string has met an escape since this was last set to 0
  (global $escaped (mut i32) (i32.const 0))
  ;; where $string stopped when it found no end
  (global $stopped (mut i32) (i32.const 0))
  ;; what lasts from one window to the next
  (global $state (mut i32) (i32.const 0))
  (global $depth (mut i32) (i32.const 0))
  (global $member (mut i32) (i32.const 0))
  ;; from 0x22: the quote; then / \ b f n r t u
  (data (i32.const 1314) "\01\00\00\00\00\00\00\00\00\00\00\00\00\01")
  (data (i32.const 1372) "\01\00\00\00\00\00\01\00\00\00\01\00\00\00\00\00\00\00\01\00\00\00\01\00\01\02")
  ;; 0-9 A-F a-f
  (data (i32.const 1584) "\01\01\01\01\01\01\01\01\01\01")
  (data (i32.const 1601) "\01\01\01\01\01\01")
  (data (i32.const 1633) "\01\01\01\01\01\01")

  ;; Offset of the first byte that is not white space.
  (func $space (param $at i32) (result i32)
    (local $byte i32)
    (loop $next
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.le_u (local.get $byte) (i32.const 32))
        (then
          ;; bits 9, 10, 13 and 32
          (if (i64.ne
                (i64.and
                  (i64.shr_u (i64.const 0x100002600) (i64.extend_i32_u (local.get $byte)))
                  (i64.const 1))
                (i64.const 0))
            (then
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br $next))))))
    (local.get $at))

  ;; Offset after the closing quote; $at is after the opening one.
  (func $string (param $at i32) (result i32)
    (local $bytes v128)
    (local $found i32)
    (local $byte i32)
    (loop $next
      (local.set $bytes (v128.load align=1 (local.get $at)))
      ;; one bit for each quote, backslash and control character
      (local.set $found
        (i8x16.bitmask
          (v128.or
            (v128.or
              (i8x16.eq (local.get $bytes)
                (v128.const i8x16 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34))
              (i8x16.eq (local.get $bytes)
                (v128.const i8x16 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92)))
            (i8x16.lt_u (local.get $bytes)
              (v128.const i8x16 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32)))))
      (if (i32.eqz (local.get $found))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $next)))
      (local.set $at (i32.add (local.get $at) (i32.ctz (local.get $found))))
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $byte) (i32.const 34)) ;; "
        (then (return (i32.add (local.get $at) (i32.const 1)))))
      (if (i32.ne (local.get $byte) (i32.const 92)) ;; backslash
        (then
          (global.set $stopped (local.get $at))
          (return (i32.const 0))))
      (global.set $escaped (i32.const 1))
      (local.set $byte (i32.load8_u offset=1280 (i32.load8_u offset=1 (local.get $at))))
      (if (i32.eq (local.get $byte) (i32.const 1))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 2)))
          (br $next)))
      (if (i32.eq (local.get $byte) (i32.const 2))
        (then
          (if (i32.and
                (i32.and
                  (i32.load8_u offset=1536 (i32.load8_u offset=2 (local.get $at)))
                  (i32.load8_u offset=1536 (i32.load8_u offset=3 (local.get $at))))
                (i32.and
                  (i32.load8_u offset=1536 (i32.load8_u offset=4 (local.get $at)))
                  (i32.load8_u offset=1536 (i32.load8_u offset=5 (local.get $at)))))
            (then
              (local.set $at (i32.add (local.get $at) (i32.const 6)))
              (br $next))))))
    (global.set $stopped (local.get $at))
    (i32.const 0))

  ;; Offset after one or more digits.
  (func $digits (param $at i32) (result i32)
    (local $start i32)
    (local.set $start (local.get $at))
    (loop $next
      (if (i32.lt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)) (i32.const 10))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (select (i32.const 0) (local.get $at) (i32.eq (local.get $at) (local.get $start))))

  ;; Offset after a number.
  (func $number (param $at i32) (result i32)
    (local $byte i32)
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 45)) ;; -
      (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 48)) ;; 0
      (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
      (else
        (local.set $at (call $digits (local.get $at)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 46)) ;; .
      (then
        (local.set $at (call $digits (i32.add (local.get $at) (i32.const 1))))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    (if (i32.eq (i32.or (i32.load8_u (local.get $at)) (i32.const 32)) (i32.const 101)) ;; e E
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.or
              (i32.eq (local.get $byte) (i32.const 43)) ;; +
              (i32.eq (local.get $byte) (i32.const 45))) ;; -
          (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (local.set $at (call $digits (local.get $at)))))
    (local.get $at))

  ;; Offset after true, false, null or a number.
  (func $scalar (param $at i32) (param $byte i32) (result i32)
    (if (i32.eq (local.get $byte) (i32.const 116)) ;; t: the four bytes of "true"
      (then
        (return
          (select
            (i32.add (local.get $at) (i32.const 4))
            (i32.const 0)
            (i32.eq (i32.load align=1 (local.get $at)) (i32.const 0x65757274))))))
    (if (i32.eq (local.get $byte) (i32.const 102)) ;; f: then the four bytes of "alse"
      (then
        (return
          (select
            (i32.add (local.get $at) (i32.const 5))
            (i32.const 0)
            (i32.eq (i32.load offset=1 align=1 (local.get $at)) (i32.const 0x65736c61))))))
    (if (i32.eq (local.get $byte) (i32.const 110)) ;; n: the four bytes of "null"
      (then
        (return
          (select
            (i32.add (local.get $at) (i32.const 4))
            (i32.const 0)
            (i32.eq (i32.load align=1 (local.get $at)) (i32.const 0x6c6c756e))))))
    (call $number (local.get $at)))

  ;; Scans the text, or the next window of a text that is too long for the memory.
  ;;   $base    offset of the window in the text; 0 begins a new text
  ;;   $length  of the window in bytes
  ;;   $final   1 if the text ends with this window, else 0
  ;; Returns the number of top-level members once the text has ended well; -2 if the next window should
  ;; begin at the offset (from the text's start) that is stored at 1024; -1 if the text is not a JSON object
  ;; or if this scanner cannot tell: more than 128 members, nesting deeper than 1000, or a colon, number
  ;; or word that the end of a window tears apart in an unlucky way.
  (func (export "scan") (param $base i32) (param $length i32) (param $final i32) (result i32)
    (local $at i32)
    (local $end i32)
    (local $limit i32) ;; tokens beyond it wait for the next window
    (local $shift i32) ;; from memory to text offsets
    (local $state i32)
    (local $depth i32)
    (local $closer i32)
    (local $member i32)
    (local $byte i32)
    (local $next i32)
    (local.set $end (i32.add (i32.const 4096) (local.get $length)))
    (v128.store align=1 (local.get $end) (v128.const i64x2 0 0))
    (local.set $limit
      (select (i32.const -1) (i32.sub (local.get $end) (i32.const 64)) (local.get $final)))
    (local.set $shift (i32.sub (local.get $base) (i32.const 4096)))
    (block $pause
      (block $closed
        (if (i32.eqz (local.get $base))
          (then
            (i32.store (i32.const 1028) (i32.const 0))
            (local.set $at (call $space (i32.const 4096)))
            (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 123)) ;; {
              (then (return (i32.const -1))))
            (local.set $depth (i32.const 1))
            (local.set $closer (i32.const 125))
            (i32.store8 offset=4 (i32.const 1) (i32.const 125))
            (local.set $member (i32.const 2048))
            (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
            (br_if $closed (i32.eq (i32.load8_u (local.get $at)) (i32.const 125))))
          (else
            (local.set $at (i32.const 4096))
            (local.set $state (global.get $state))
            (local.set $depth (global.get $depth))
            (local.set $closer (i32.load8_u offset=4 (local.get $depth)))
            (local.set $member (global.get $member))))
        ;; States: 0 before a key, 1 inside a key, 2 before a value, 3 inside a string value, 4 after a value.
        ;; They only matter on the way in and out; in between, 0 stands for wherever the code is.
        (loop $key
          (if (i32.le_u (local.get $state) (i32.const 1))
            (then
              (if (i32.eqz (local.get $state))
                (then
                  (br_if $pause (i32.gt_u (local.get $at) (local.get $limit)))
                  (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 34))
                    (then (return (i32.const -1))))
                  (if (i32.eq (local.get $depth) (i32.const 1))
                    (then
                      (if (i32.eq (local.get $member) (i32.const 4096))
                        (then (return (i32.const -1))))
                      (i32.store (local.get $member)
                        (i32.add (local.get $at) (local.get $shift)))))
                  (local.set $at (i32.add (local.get $at) (i32.const 1)))))
              (global.set $escaped (i32.const 0))
              (local.set $next (call $string (local.get $at)))
              (if (global.get $escaped) (then (i32.store (i32.const 1028) (i32.const 1))))
              (if (i32.eqz (local.get $next))
                (then
                  (local.set $at (global.get $stopped))
                  (local.set $state (i32.const 1))
                  (br_if $pause (i32.gt_u (local.get $at) (local.get $limit)))
                  (return (i32.const -1))))
              (local.set $at (local.get $next))
              (local.set $state (i32.const 0))
              (if (i32.eq (local.get $depth) (i32.const 1))
                (then
                  (i32.store offset=4 (local.get $member)
                    (i32.add (local.get $at) (local.get $shift)))))
              (local.set $at (call $space (local.get $at)))
              (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 58)) ;; :
                (then (return (i32.const -1))))
              (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
              (if (i32.eq (local.get $depth) (i32.const 1))
                (then
                  (i32.store offset=8 (local.get $member)
                    (i32.add (local.get $at) (local.get $shift)))))))
          (loop $value
            (if (i32.ne (local.get $state) (i32.const 4))
              (then
                (if (i32.eq (local.get $state) (i32.const 3))
                  (then (local.set $byte (i32.const 34)))
                  (else
                    (local.set $state (i32.const 2))
                    (br_if $pause (i32.gt_u (local.get $at) (local.get $limit)))
                    (local.set $byte (i32.load8_u (local.get $at)))
                    (local.set $at
                      (i32.add (local.get $at) (i32.eq (local.get $byte) (i32.const 34))))))
                (local.set $state (i32.const 0))
                (if (i32.eq (local.get $byte) (i32.const 34))
                  (then
                    (local.set $next (call $string (local.get $at)))
                    (if (i32.eqz (local.get $next))
                      (then
                        (local.set $at (global.get $stopped))
                        (local.set $state (i32.const 3))
                        (br_if $pause (i32.gt_u (local.get $at) (local.get $limit)))
                        (return (i32.const -1))))
                    (local.set $at (local.get $next)))
                  (else
                    (if (i32.eq (i32.or (local.get $byte) (i32.const 32)) (i32.const 123)) ;; { [
                      (then
                        (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
                        (if (i32.gt_u (local.get $depth) (i32.const 1000))
                          (then (return (i32.const -1))))
                        (local.set $closer (i32.add (local.get $byte) (i32.const 2)))
                        (i32.store8 offset=4 (local.get $depth) (local.get $closer))
                        (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
                        (if (i32.ne (i32.load8_u (local.get $at)) (local.get $closer))
                          (then
                            (br_if $key (i32.eq (local.get $closer) (i32.const 125)))
                            (br $value)))
                        (local.set $at (i32.add (local.get $at) (i32.const 1)))
                        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
                        (local.set $closer (i32.load8_u offset=4 (local.get $depth))))
                      (else
                        (local.set $at (call $scalar (local.get $at) (local.get $byte)))
                        (if (i32.eqz (local.get $at)) (then (return (i32.const -1))))))))))
            (loop $after
              (local.set $state (i32.const 4))
              (br_if $pause (i32.gt_u (local.get $at) (local.get $limit)))
              (local.set $state (i32.const 0))
              (if (i32.eq (local.get $depth) (i32.const 1))
                (then
                  (i32.store offset=12 (local.get $member)
                    (i32.add (local.get $at) (local.get $shift)))
                  (local.set $member (i32.add (local.get $member) (i32.const 16)))))
              (local.set $at (call $space (local.get $at)))
              (local.set $byte (i32.load8_u (local.get $at)))
              (if (i32.eq (local.get $byte) (i32.const 44)) ;; ,
                (then
                  (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
                  (br_if $key (i32.eq (local.get $closer) (i32.const 125)))
                  (br $value)))
              (if (i32.ne (local.get $byte) (local.get $closer)) (then (return (i32.const -1))))
              (br_if $closed (i32.eq (local.get $depth) (i32.const 1)))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
              (local.set $closer (i32.load8_u offset=4 (local.get $depth)))
              (br $after)))))
      ;; the outermost object has ended: only white space may follow
      (i32.store (i32.const 0) (i32.add (local.get $at) (local.get $shift)))
      (if (i32.ne (call $space (i32.add (local.get $at) (i32.const 1))) (local.get $end))
        (then (return (i32.const -1))))
      (if (i32.eqz (local.get $final)) (then (return (i32.const -1))))
      (return (i32.shr_u (i32.sub (local.get $member) (i32.const 2048)) (i32.const 4))))
    (i32.store (i32.const 1024) (i32.add (local.get $at) (local.get $shift)))
    (global.set $state (local.get $state))
    (global.set $depth (local.get $depth))
    (global.set $member (local.get $member))
    (i32.const -2)))
