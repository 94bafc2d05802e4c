-- Says that the sale itself was changed (opened, paused, closed, another limit): who shows it reads it anew.
-- KEYS, ARGV 1-5: see queue.lua
--#include queue.lua

sale = true
publish_queue(true)
return 1
