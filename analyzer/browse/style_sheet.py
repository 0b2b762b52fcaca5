"""Where everything stands on the screen of ``teardown browse``, and what is shown when."""

STYLE = """
Screen { background: $surface; }
#head { height: 1; background: $panel; }
#chosen { height: 1; }
#filter { display: none; height: 1; border: none; padding: 0 1; background: $boost; }
#error { display: none; color: $text-error; padding: 0 1; height: auto; max-height: 75%; }
.refused #error { display: block; }
.refused #title, .refused #ladder, .refused #counts { display: none; }
.box #chosen { display: none; }
.box #filter { display: block; }
#progress { display: none; height: 1fr; padding: 2 2; }
.reading #progress { display: block; }
.reading #connections, .reading #title, .reading #ladder, .reading #counts { display: none; }
#connections { height: 2fr; }
.title { height: 1; background: $panel; text-style: bold; }
#ladder { height: 3fr; padding: 0 1; }
.opened #connections, .opened #chosen { display: none; }
#counts { display: none; height: auto; max-height: 45%; padding: 0 1; border-top: solid $panel; }
.counts #counts { display: block; }
.keys { height: 1; dock: bottom; background: $panel; }
.keys.while-reading, .reading .keys { display: none; }
.reading .keys.while-reading { display: block; }
#text, #groups, #columns { height: 1fr; padding: 0 1; }
#groups { height: auto; max-height: 45%; }
"""
