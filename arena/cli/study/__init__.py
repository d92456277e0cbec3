"""`arena study …`: from a list of prompts to files of votes, one file a command.

It does not know what a study is made of.
"""

COMMANDS = {
    "plan": "how many raters and prompts tell a difference; after a study: was it enough",
    "init": "write the file of a new study, to be filled in",
    "check": "find every fault of a study's file, and say what it will take",
    "write": "let all contenders answer all prompts, or take their answers from a file",
    "open": "let raters come",
    "close": "let nobody judge any more; from then on everything may be seen",
    "status": "how far a study is, and what is still needed",
    "export": "write a study's prompts, replies, votes and raters to a folder",
    "release": "write a folder to publish: data, method, card, metadata",
    "rebuild": "make every table of a release anew from it alone, and compare",
}
