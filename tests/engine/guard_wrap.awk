# guard_wrap.awk: from kernels.h, a guarded function for every entry of cw_kernels and the table of them, for
# kernels/guard/guard.c. Arrays are looked at by is_there(), structs that hold arrays by look_at_<struct>().
BEGIN {
  host["cw_exec"] = host["cw_ctx"] = host["cw_conv_part"] = 1 # these pointers are the host's
  split("cw_ragged cw_attend cw_scan cw_prior", t, " ")
  for (i in t) holds[t[i]] = 1 # structs by value that hold arrays
  by_pointer["cw_sparse"] = 1  # ... and by pointer
}
{
  while (match($0, /\/\*[^*]*\*+([^\/*][^*]*\*+)*\//)) $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
  if (comment) { if (!match($0, /\*\//)) next; $0 = substr($0, RSTART + 2); comment = 0 }
  if (match($0, /\/\*/)) { $0 = substr($0, 1, RSTART - 1); comment = 1 }
  text = text " " $0
}
END {
  if (!match(text, /typedef struct cw_kernels \{/)) { print "#error no cw_kernels"; exit 1 }
  text = substr(text, RSTART + RLENGTH)
  sub(/\} *cw_kernels *;.*/, "", text)
  n = split(text, item, ";")
  table = ""
  for (i = 1; i <= n; i++) {
    if (!match(item[i], /\(\*[a-z0-9_]+\)\(/)) continue
    result = substr(item[i], 1, RSTART - 1)
    name = substr(item[i], RSTART + 2, RLENGTH - 4)
    args = substr(item[i], RSTART + RLENGTH)
    sub(/\)[ \t]*$/, "", args)
    gsub(/^[ \t]+|[ \t]+$/, "", result)
    m = split(args, arg, ",")
    pass = ""; looks = ""
    for (j = 1; j <= m; j++) {
      a = arg[j]
      match(a, /[A-Za-z0-9_]+[ \t]*$/)
      var = substr(a, RSTART); type = substr(a, 1, RSTART - 1)
      gsub(/[ \t]/, "", var); pointer = type ~ /\*/
      gsub(/const|struct |\*|[ \t]/, "", type)
      pass = pass (j > 1 ? ", " : "") var
      short = type; sub(/^cw_/, "", short)
      if (type in holds || (pointer && type in by_pointer))
        looks = looks "    look_at_" short "(\"" name "\", \"" var "\", " var ");\n"
      else if (pointer && !(type in host)) looks = looks "    is_there(\"" name "\", \"" var "\", " var ");\n"
    }
    printf "static %s guarded_%s(%s)\n{\n    begin(\"%s\");\n%s", result, name, args, name, looks
    if (result == "void") printf "    guard.inner->%s(%s);\n    leave();\n}\n", name, pass
    else printf "    %s result = guard.inner->%s(%s);\n    leave();\n    return result;\n}\n", result, name, pass
    table = table "    ." name " = guarded_" name ",\n"
  }
  printf "static const cw_kernels guarded = {.name = \"guard\", .device = &cw_device_guard,\n%s};\n", table
}
