package fault

import "net/http"

// Transfers, withdrawals and exchanges, with what was numbered among them.
var paymentRows = []Row{
	{
		Code: SourceOrDestinationRequired, Name: "source-or-destination-required", Status: http.StatusBadRequest,
		Message: "Source or destination must be provided.",
		When:    "An internal transfer names neither sourceExternalUserId nor destinationExternalUserId.",
		Fix:     "Send at least one of the two. The side that is left out is your own account.",
	},
	{
		Code: InvalidIban, Name: "invalid-iban", Status: http.StatusBadRequest,
		Message: "The IBAN is not valid.",
		When:    "The IBAN's check digits, length or country is wrong.",
		Fix:     "Have the IBAN entered again. Check its check digits (ISO 13616, modulo 97) before you send it to find mistyped ones early.",
	},
	{
		Code: InvalidFileType, Name: "invalid-file-type", Status: http.StatusBadRequest,
		Message: "The file must be a JPEG, PNG or PDF.",
		When:    "An uploaded file is no JPEG, PNG or PDF. Its content decides, not its name.",
		Fix:     "Convert the file; renaming it is not enough. Photos in HEIC or WebP must be converted too.",
	},
	{
		Code: InvalidWalletAddress, Name: "invalid-wallet-address", Status: http.StatusBadRequest,
		Message: "The wallet address does not belong to the network.",
		When:    "The wallet address is malformed, or is one of another network.",
		Fix:     "Check the address, and that `network` is the one it was made for. In staging use addresses of the test networks.",
	},
	{
		Code: SepaTransferNotFound, Name: "sepa-transfer-not-found", Status: http.StatusNotFound,
		Message: "The SEPA transfer does not exist.",
		When:    "You have no SEPA transfer with this id, and no SEPA deposit where one is asked for.",
		Fix:     "Use the transferId from the answer that created the transfer, or the id of the deposit in its webhook or in the history, in the same environment. Internal transfers have a details endpoint of their own.",
	},
	{
		Code: TooManyRequests, Name: "too-many-requests", Status: http.StatusTooManyRequests,
		Message: "Too many requests were sent.",
		When:    "The API key has used up its rate, or an address has failed to authenticate too often, or an owner has taken too many rate locks in a minute, or too many events wait to be sent again.",
		Fix:     "Wait for as many seconds as `Retry-After` says, and pace requests by the `RateLimit-Remaining` and `RateLimit-Reset` headers. Prefer webhooks to polling.",
	},
	{
		Code: AmountOutOfRange, Name: "amount-out-of-range", Status: http.StatusBadRequest,
		Message: "The amount is below the minimum or above the maximum.",
		When:    "The amount is smaller or larger than a single operation of this kind may be, or takes the SEPA transfers of a day beyond their limit.",
		Fix:     "Read the minimum of the currency from the balances or from the network fee, the maximum from Fees, and choose an amount between them, or split the operation. Where the limit of a day is meant, the message says how much of it is left, and until when.",
	},
	{
		Code: ForbiddenCountry, Name: "forbidden-country", Status: http.StatusBadRequest,
		Message: "The country is not served.",
		When:    "A user's country is not one in which the platform opens accounts.",
		Fix:     "Offer only the countries listed under Supported Countries. Do not send another country instead: the identity check compares it.",
	},
	{
		Code: IbanNotWhitelisted, Name: "iban-not-whitelisted", Status: http.StatusBadRequest,
		Message: "The destination is not an account of the owner.",
		When:    "On SEPA level 1 the destination IBAN is not an account that the owner has paid in from.",
		Fix:     "Choose an IBAN of the SEPA deposit contact list. An account joins the list with its first approved deposit.",
	},
	{
		Code: InsufficientFunds, Name: "insufficient-funds", Status: http.StatusBadRequest,
		Message: "The balance is not sufficient.",
		When:    "The balance that can be spent does not cover the amount and its fee, or the owner has a debt to the platform that the next credits repay first.",
		Fix:     "Read the balances: `amount` is what can be spent, held money is not part of it. Add the fee to the amount, and send the request again once there is enough.",
	},
}

// Cards.
var cardRows = []Row{
	{
		Code: InvalidCard, Name: "invalid-card", Status: http.StatusBadRequest,
		Message: "The card does not exist.",
		When:    "The user has no card with this id, or the card was deleted.",
		Fix:     "Take the cardId from the list of the user's cards and send it with the same externalUserId.",
	},
	{
		Code: CardLimitReached, Name: "card-limit-reached", Status: http.StatusBadRequest,
		Message: "The user cannot have another card now.",
		When:    "The user has 10 cards, or has had 5 created within 24 hours, 10 within 30 days or 20 within 12 months.",
		Fix:     "Use or delete one of the existing cards, or wait until the quota allows another one.",
	},
	{
		Code: CardNotActive, Name: "card-not-active", Status: http.StatusBadRequest,
		Message: "The card's status does not allow this operation.",
		When:    "The card is locked, blocked or suspended, and the operation needs another status.",
		Fix:     "Read the card's status. Unblock it first when the user locked it; ask support when it is BLOCKED or SUSPENDED.",
	},
}
