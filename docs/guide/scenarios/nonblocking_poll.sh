# What it costs to ask again at once, and after a pause.
source "$(dirname "$0")/common.sh"
five_lines() {
  hear  # the first second: it has begun, and nobody was there
  for text in one two three four five; do
    echo "$text" >&"${clients[1]}"
    IFS= read -r -t 20 -u "${clients[1]}" _
  done
  echo "client 1 sends five lines, and waits for each answer"
  says
}
for options in "" "--sleep-ms 100"; do
  # shellcheck disable=SC2086  # none, or two words
  start nonblocking_poll --listen :0 $options
  dial 1
  five_lines
  finish
done
