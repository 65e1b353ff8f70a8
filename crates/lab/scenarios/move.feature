Feature: A move to another prefecture
  A resident moves from Tokyo to Nagano. The new municipality's word alone enters nobody: the
  moving-in waits until the former municipality has recorded the moving-out and signs that it lets
  her go (法22条, 24条; decision 0015). So she is current in exactly one place at every moment.

  Scenario: The moving-in waits for the former municipality
    Given "高橋 恵" is a resident of 国立市
    When the moving-in of "高橋 恵" from 国立市 is filed at 松本市
    Then the moving-in waits
    And "高橋 恵" is still current in 国立市
    When the moving-out of "高橋 恵" is filed at 国立市
    Then the notice is taken
    And "高橋 恵" is current in 松本市
    When the clerk of 日本年金機構 asks about "高橋 恵" by record code for affair 1-74-1, case "転居-1"
    Then the answer is exactly "高橋 恵"
    And the tiers agree within 20 s

  Scenario: A move within the municipality
    Given "田中 実" is a resident of 安曇野市
    When "田中 実" moves within the municipality
    Then the notice is taken
    And the tiers agree within 20 s
    When the clerk of 日本年金機構 asks about "田中 実" by name and address for affair 1-74-1, case "転居-2"
    Then the answer is exactly "田中 実"
    And the answer says the reason moved-within

  Scenario: A death is told to whoever asks
    Given "渡辺 勇" is a resident of 三鷹市
    When the death of "渡辺 勇" is filed
    Then the notice is taken
    And the tiers agree within 20 s
    When the clerk of 日本年金機構 asks about "渡辺 勇" by record code for affair 1-74-1, case "死亡-1"
    Then the answer says the reason died
