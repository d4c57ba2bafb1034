// chat [LISTEN]: for instance `chat :7000`, and then `nc 127.0.0.1 7000` in several terminals.
//
// The first line is one's name, `/join ROOM` goes to another room, `/quit` leaves; anything else is
// said to the room.
#include "chat.hpp"

int main(int argc, char** argv) {
  static chat rooms;  // a handler that hangs may be left behind: what it uses stays
  return iolite::serve_main(
      [](iolite::stream peer) { return rooms.serve(std::move(peer)); },
      {.listen = {argc > 1 ? argv[1] : "127.0.0.1:7000"}, .shares_memory = true});
}
