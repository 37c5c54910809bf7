package fault

import "net/http"

// Identity, verification and the life of a user, with the card codes that were numbered among them.
var identityRows = []Row{
	{
		Code: FileTooLarge, Name: "file-too-large", Status: http.StatusBadRequest,
		Message: "The file is larger than 5 MB.",
		When:    "An uploaded file has more than 5,242,880 bytes.",
		Fix:     "Scale the picture down or compress the document, keeping all of its text readable.",
	},
	{
		Code: TravelRuleNotRequired, Name: "travel-rule-not-required", Status: http.StatusBadRequest,
		Message: "The deposit does not wait for Travel Rule data.",
		When:    "The crypto deposit is not in WAITING_FOR_TR_DATA.",
		Fix:     "Send Travel Rule data only for deposits whose webhook says WAITING_FOR_TR_DATA, and only once.",
	},
	{
		Code: KycNotFound, Name: "kyc-not-found", Status: http.StatusNotFound,
		Message: "The user has not started an identity check.",
		When:    "The status of an identity check is asked for before there was any attempt.",
		Fix:     "Upload identity files or create a hosted verification first.",
	},
	{
		Code: KycNotCompleted, Name: "kyc-not-completed", Status: http.StatusBadRequest,
		Message: "The identity check is not complete.",
		When:    "Verification is requested before all identity files were uploaded, or before the hosted verification was SUCCESSFUL.",
		Fix:     "Upload the missing files (front, back and selfie; photo page and selfie for a passport), or wait for the KYC Verification Status webhook.",
	},
	{
		Code: PoaAlreadyVerified, Name: "poa-already-verified", Status: http.StatusBadRequest,
		Message: "The proof of address is already verified.",
		When:    "Files are uploaded after the user's proof of address was approved.",
		Fix:     "Nothing is to be done: go on with the next step of the user's activation.",
	},
	{
		Code: ForbiddenCountryCard, Name: "forbidden-country-card", Status: http.StatusBadRequest,
		Message: "Cards are not issued in the user's country.",
		When:    "A card is requested for a user who lives in a country without cards.",
		Fix:     "Offer cards only to users of the countries that Supported Countries marks for cards.",
	},
	{
		Code: ActiveCards, Name: "active-cards", Status: http.StatusBadRequest,
		Message: "The user has active cards.",
		When:    "A user who still has active cards is to be suspended.",
		Fix:     "Block or delete the user's cards, then suspend the user.",
	},
	{
		Code: UserSuspended, Name: "user-suspended", Status: http.StatusBadRequest,
		Message: "The user is suspended.",
		When:    "A suspended or frozen user takes part in an operation with money, cards or identity checks.",
		Fix:     "Unsuspend the user if you suspended it. If that does not help, the operator has frozen the user: ask support.",
	},
	{
		Code: TermsNotAccepted, Name: "terms-not-accepted", Status: http.StatusBadRequest,
		Message: "The terms and conditions must be accepted.",
		When:    "hasAcceptedP100Tc is not true.",
		Fix:     "Show the terms to the user and send `hasAcceptedP100Tc: true` once the user has accepted them.",
	},
	{
		Code: UserNotVerified, Name: "user-not-verified", Status: http.StatusBadRequest,
		Message: "The user is not verified.",
		When:    "The operation needs a verified user, and this one is not verified yet or its document has expired.",
		Fix:     "Complete the user's verification, or start a new one when it is EXPIRED, and wait for the webhook before you try again.",
	},
	{
		Code: PoaVerificationNotFound, Name: "poa-verification-not-found", Status: http.StatusNotFound,
		Message: "There is no proof of address to work on.",
		When:    "Verification is requested while a required proof of address is missing, or proof of address files are uploaded before any identity attempt.",
		Fix:     "Keep to the order: identity check first, then proof of address files where `poaRequiredForExtended` is true, then verification.",
	},
	{
		Code: UserNotExtended, Name: "user-not-extended", Status: http.StatusBadRequest,
		Message: "The user's verification is not extended.",
		When:    "Never: older programs may know the code, so it is kept and not used for anything else.",
		Fix:     "Nothing is to be done.",
	},
	{
		Code: BalanceNotActive, Name: "balance-not-active", Status: http.StatusBadRequest,
		Message: "The fiat balance is not active yet.",
		When:    "Fiat money is to be moved while the fiat balance is still waiting for its activation.",
		Fix:     "Complete the user's activation and wait for the User Balance Generation webhook with status ACTIVE.",
	},
	{
		Code: UserHasFunds, Name: "user-has-funds", Status: http.StatusBadRequest,
		Message: "The user still has money or an open operation.",
		When:    "A user is to be deleted who has money on a balance, held money, a debt, or an operation or a review that has not ended.",
		Fix:     "Wait for open operations to end, repay what is owed, move all balances away, then delete the user.",
	},
	{
		Code: NotUnderReview, Name: "not-under-review", Status: http.StatusBadRequest,
		Message: "The user is not under review.",
		When:    "A decision is sent for a user who is not under manual review.",
		Fix:     "Decide only on users whose identity status says `manualReview: true`.",
	},
	{
		Code: EventNotFound, Name: "event-not-found", Status: http.StatusNotFound,
		Message: "The event does not exist.",
		When:    "You have no event with this id, or it is older than events are kept.",
		Fix:     "Use the id of an event from the list of events, in the same environment.",
	},
	{
		Code: WrongUserModel, Name: "wrong-user-model", Status: http.StatusBadRequest,
		Message: "The operation does not suit the user's model.",
		When:    "A card, SEPA or identity call names a user without KYC, or a call for users without KYC names one with it.",
		Fix:     "Read the user's `model` and call only what that model has. A user cannot change from one model to the other: create a new one.",
	},
}
