Feature: A lost card
  An operator card is lost, and its PIN with it. The center revokes it: the next directory says so,
  and no server answers it any more. Until then the finder is bound by the card's affairs, and every
  resident who was looked up sees it. The product has no command for revoking yet: whoever holds
  the center's token signs a newer directory, and the center takes it when it starts.

  Scenario: The finder uses the card until it is revoked, and not after
    Given "井上 渚" is a resident of 国立市
    When the clerk of 総務省 asks about "井上 渚" by record code for affair 1-17-1, case "紛失-1"
    Then the answer is exactly "井上 渚"
    When the card agency-2-clerk is lost and the center revokes it
    And the clerk of 総務省 asks about "井上 渚" by record code for affair 1-17-1, case "紛失-2"
    Then it is refused by rule card-revoked
    And nothing is shown
    And the ledger of センター holds 1 refusal of case "紛失-2"
    And "井上 渚" sees 1 provision to 総務省 of case "紛失-1"

  Scenario: A card whose term is over is refused by the terminal itself
    Given "木村 隼" is a resident of 国立市
    When somebody at agency-1 asks about "木村 隼" with the card agency-1-expired for affair 1-74-1, case "紛失-3"
    Then the terminal does not take it
    And nothing is shown

  @not-yet:isolation-command
  Scenario: Two persons revoke a card with one command
    Then there is a command "card revoke"
