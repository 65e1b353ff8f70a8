Feature: Kawasaki 2023: two at once (J2)
  Kawasaki, 2023-05-02. By the vendor's notice two requests at the same moment led to one overwriting
  the other: a shared place in memory held both (newage3.net, notice of Fujitsu Japan).

  The invariant it forces: no shared mutable slot, and unique numbers of requests.

  Scenario: Two clerks ask at the same moment, two hundred times
    Given "川崎 葵" is a resident of 三鷹市
    And "川崎 蓮" is a resident of 松本市
    When 200 times at the same moment 日本年金機構 asks about "川崎 葵" for affair 1-74-1 and 国立市 about "川崎 蓮" for affair 4-1-1, case "川崎-1"
    Then every answer is about the one who was asked for
    And everybody is answered at last
