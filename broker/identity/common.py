"""The passwords that are tried first: those most often found in published lists of leaked ones, and their kin.

Words of six letters or more stand without the digits and signs that people put after them: see ``passwords``.
"""

from __future__ import annotations

from typing import Final

_COMMON: Final = """
000000 00000000 010203 0987654321
101010 111111 11111111 1111111111 112233 121212 123 123123 12312312 123123123 123321 1234 12341234 12344321 12345
123454321 123456 1234561 1234567 12345678 123456789 1234567890 12345679 123654 123654789 123abc 123qwe 123qweasd
123qweasdzxc 131313 142536 147258 147258369 147852 147852369 159357 159753 18atcskd2w 1q2w3e 1q2w3e4r 1q2w3e4r5t
1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 20202020 222222 22222222 232323 252525 333333 444444 456789 456852 55555
555555 55555555 654321 666666 66666666 696969 741852963 753951 77777 777777 7777777 77777777 789456 789456123 88888888
87654321 888888 987654 987654321 9876543210 99999999 999999 a12345678 a123456789 a1b2c3 a1b2c3d4 aa12345678 aa123456
aaaaaa aaaaaaaa abc123 abc12345 abcabc abcd1234 abcdef abcdefgh access admin admin123 administrator amanda america
andrea andrew angel anthony apple apples arsenal ashley asdasd asdasdasd asdf1234 asdfasdf asdfgh asdfghjk asdfghjkl
asdqwe baby babygirl bailey banana barcelona baseball basketball batman beautiful biteme blessed butterfly buster
changeme charlie cheese chelsea chocolate chris christ computer cookie corvette daniel default diamond dragon dubsmash
eminem f00tball family ferrari flower football forever freedom friend friends fuckyou gfhjkm ginger google guest
hannah harley heaven hello hello123 helloworld hockey hunter iloveyou iloveyou1 internet jasmine jennifer jessica
jesus jordan joshua justin killer klaster letmein liverpool login loveme lovely lover loving maggie manager marina
martin master matrix matthew mercedes michael michelle monica monkey monster mustang mynoob naruto nicole ninja
nothing p@ssw0rd pa$$word pass passw0rd passwd password password1 password123 peanut pepper playboy pokemon princess
purple qazwsx qazwsxedc q1w2e3r4 q1w2e3r4t5 qwaszx qweasd qweasdzxc qweqwe qwer1234 qwert qwert123 qwerty qwerty12345
qwertyui qwertyuio qwertyuiop qwertz qwertzuiop qwe123 rangers robert samantha samsung secret shadow slipknot snoopy
soccer sophie spiderman spring starwars summer sunshine superman superstar support taylor temp test test123 testing
thomas thunder tinkle trustno1 unknown user victoria welcome welcome1 whatever william winter yankees zaq12wsx
zaq1zaq1 zxcasd zxcvbn zxcvbnm zzzzzz
"""

COMMON: Final = frozenset(_COMMON.split())
"""In small letters."""
