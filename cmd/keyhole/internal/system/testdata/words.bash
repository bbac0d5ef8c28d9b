# Stands in for the package bash-completion: splits the line that is completed into
# words, at blanks that are not escaped, as _get_comp_words_by_ref -n =: does.
_get_comp_words_by_ref() {
  local line=${COMP_LINE:0:COMP_POINT} word="" char i
  words=()
  for ((i = 0; i < ${#line}; i++)); do
    char=${line:i:1}
    case $char in
      \\) word+=$char${line:i+1:1} && ((++i)) ;;
      " ") words+=("$word") && word="" ;;
      *) word+=$char ;;
    esac
  done
  words+=("$word")
  # shellcheck disable=SC2034 # The caller declares and reads them.
  cur=$word cword=$((${#words[@]} - 1)) prev=${words[${#words[@]} - 2]}
}
