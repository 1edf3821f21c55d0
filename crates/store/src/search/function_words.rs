//! Function words of the languages that are told apart, most of them between forty and ninety.
//!
//! They say how a sentence is built and not what it is about, so that a question would otherwise find every other
//! question. They also tell in which language a text is written.

/// One language: its code of ISO 639-1 and its function words, as they are written.
pub(super) struct FunctionWords {
    pub code: &'static str,
    pub words: &'static str,
}

/// English stands first. The place of a language in this list is its number in an index: add new ones at the end.
pub(super) const FUNCTION_WORDS: [FunctionWords; 20] = [
    FunctionWords {
        code: "en",
        words: "a about am an and any are aren't as at be been being but by can can't could couldn't d did didn't do does
            doesn't doing don't for from had hadn't has hasn't have haven't having he her hers him his how i if in into is
            isn't it its just ll m may me might must my of on or our ours re s shall she should shouldn't so some such t
            than that the their theirs them then there these they this those to us ve was wasn't we were weren't what
            when where which while who whom whose why will with won't would wouldn't you your yours",
    },
    FunctionWords {
        code: "de",
        words: "aber als am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den denn der des
            dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer
            eines er es euch euer für habe haben hat hatte hatten hier ich ihm ihn ihnen ihr ihre im in ist ja jede
            jeder kann können man mein meine mich mir mit muss nach nun nur ob oder sein seine sich sie sind so über
            um und uns unser unter vom von vor war waren warum was weil welche welcher wenn wer werde werden wie wir
            wird wo wurde wurden zu zum zur",
    },
    FunctionWords {
        code: "fr",
        words: "ai alors as au aussi aux avaient avait avec avez avoir avons c ce cela ces cet cette ceux chez comme
            d dans de des donc du elle elles en es est et était étaient être eu il ils j je l la le les leur leurs lui
            m ma mais me mes moi mon n ne nos notre nous on ont ou où par pour pourquoi qu quand que quel quelle
            quelles quels qui quoi s sa sans se ses si son sont sur t ta te tes toi ton tu un une vos votre vous y",
    },
    FunctionWords {
        code: "es",
        words: "a al ante aquel aquella como cómo con cual cuál cuando cuándo de del desde donde dónde e el él ella
            ellas ellos en entre era eran eres es esa ese eso esta está están este esto estos estas fue fueron ha
            había han hasta hay he la las le les lo los me mi mis muy nos nosotros o os para pero por porque qué que
            quien quién se sea ser si sin sobre son su sus también te tiene tienen tu tus un una unas uno unos usted y
            ya yo",
    },
    FunctionWords {
        code: "it",
        words: "a ad agli ai al alla alle allo anche avere aveva c che chi ci come con cui d da dagli dai dal dalla
            dalle dei degli del della delle dello di dove e è ed era erano essere fu gli ha hai hanno ho i il in io l
            la le lei li lo loro lui ma me mi mia mie mio miei ne nei negli nel nella nelle noi nostra nostro o per
            perché più quale quali quando quella quelle quello quei questa queste questi questo sei se si siamo sono
            sta su sua sue sugli sui sul sulla sulle suo suoi ti tra tu tua tuo un una uno vi voi",
    },
    FunctionWords {
        code: "pt",
        words: "a ao aos as até com como da das de dela dele deles do dos e é ela elas ele eles em entre era eram essa
            essas esse esses esta está estão estas este estes eu foi foram há isso isto já lhe lhes mais mas me meu
            meus minha minhas muito na nas nem no nos nós nossa nosso num numa não o onde os ou para pela pelas pelo
            pelos por porque qual quando que quem se seja sem ser seu seus só sobre sua suas também te tem têm teu tua
            um uma você vocês",
    },
    FunctionWords {
        code: "nl",
        words: "aan al als bij ben bent ben daar dan dat de deze die dit doch doen door een en er had hadden heb hebben
            heeft hem het hier hij hoe hun ik in is je jij jou jouw jullie kan kunnen maar me mee men met mij mijn naar
            nog nu of om omdat ons onze ook op over te ten ter toen tot u uit uw van voor waar waarom wanneer waren was
            wat we wel welke werd wie wij wil worden wordt zal ze zich zij zijn zo zou",
    },
    FunctionWords {
        code: "sv",
        words: "alla allt att av blev bli blir där då de dem den denna deras dess det detta dig din dina ditt du efter
            eller en er ert ett från för ha hade han hans har henne hennes hon honom hur här i in ingen inte jag kan
            kunde man med mellan men mig min mina mitt mot mycket ni nu när någon något och om oss på sedan sig sin
            sina sitt ska skulle som så till under upp ut utan vad var vara varför vem vi vid vilka vilken vår är än",
    },
    FunctionWords {
        code: "da",
        words: "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din dine disse dit
            du efter eller en end er et for fordi fra før ham han hans har havde have hende hendes her hos hun hvad
            hvem hvis hvor hvorfor hvornår i ikke ind jeg jer jeres kan kunne man mange med meget men mig min mine mit
            mod ned noget nogle nu når og også om op os over på sig sin sine sit skal skulle som sådan til ud under var
            vi vil ville vores være været",
    },
    FunctionWords {
        code: "no",
        words: "alle at av bare begge ble blei bli blir da de deg dei dem den denne der deres det dette di din ditt du
            eller en enn er et ett etter for fordi fra før ha hadde han hans har henne hennes her hos hun hva hvem hver
            hvilken hvis hvor hvorfor hvordan i ikke inn jeg kan kom kunne man mange med meg mellom men mer min mitt
            mot når noe noen nå og også om opp oss over på samme seg selv sin sitt skal skulle som så til ut uten var
            ved vi vil ville være vært vår",
    },
    FunctionWords {
        code: "fi",
        words: "ei eivät emme en et että he heidän hän hänen ja joka jos jossa jota jotka kanssa koska kuin kuka kun me
            meidän mikä mikäli minkä minua minulla minun minä missä miten mitä mutta myös ne niin niiden nyt näin nämä
            ole olen olet oli olin olisi olivat olla ollut on ovat poikki se sen siellä siinä sinun sinä sitä tai tämä
            tämän te teidän tässä tätä vaan vai vaikka voi",
    },
    FunctionWords {
        code: "ru",
        words: "а без бы был была были было быть в вам вас весь во вот все всё вы где да даже для до его ее её ей ему
            если есть еще ещё же за здесь и из или им их к как какая какой когда кто ли либо меня мне мной мой моя мы
            на над нам нас наш не него нее нет ни них но ну о об он она они оно от по под при с сам себя со так такой
            там тебя тем то того тоже той только том ты у уже чего чем что чтобы эта эти это этого этой этом этот я",
    },
    FunctionWords {
        code: "pl",
        words: "a aby ale bardzo bez bo by był była było były być ci co czy dla do go i ich ile im ja jak jaka jaki
            jako je jego jej jest jestem już kiedy kto która które którego której który którzy lub ma mam mi mnie może
            można mój my na nad nas nasz nich nie niej nim o od on ona one oni ono oraz po pod przed przez przy są się
            ta tak także tam te tego tej ten to tu ty tych tym u w was we więc wszystko z za że",
    },
    FunctionWords {
        code: "cs",
        words: "a aby aj ale ani asi až bez bude budou by byl byla bylo byli být ci co což do ho i já jak jako je jeho
            její jejich jen jenž jestli ještě ji jsem jsi jsme jsou jste k kam kde kdo když která které který kteří ku
            má mají mám mě mezi mi mít mně mu můj může my na nad nám nás náš ne nebo než nic o od on ona oni pak po pod
            podle pokud pro proč proto protože před při s se si svůj ta tak také tam té ten to toho tom tu ty u už v
            ve více však vy z za ze že",
    },
    FunctionWords {
        code: "tr",
        words: "acaba ama aslında az bana bazı belki ben benden beni benim biri birçok biz bize bizim bu bunu bunun
            çok çünkü da daha de defa değil diye en gibi hem hep hepsi her hiç için ile ise kadar kez ki kim mı mi mu
            mü nasıl ne neden nerede niçin niye o olan olarak oldu olduğu on ona onlar onu onun sanki sen siz şey şu
            tüm var ve veya ya yani yok",
    },
    FunctionWords {
        code: "hu",
        words: "a abban ahhoz aki akik amely ami amit az azok azt azért be csak de e egy egyik ehhez ekkor el én ennek
            ez ezek ezt ezért fel ha hanem hogy hogyan hol illetve is ki kell két le lesz lett maga meg mert mi miért
            míg mikor milyen mint most nagyon nagy ne nekem nem néha nincs olyan ők őket össze pedig s saját sem ő te
            ti több új úgy utána vagy vagyok van vannak volt voltak volna",
    },
    FunctionWords {
        code: "ro",
        words: "a acea aceasta această aceea acel acest aceste acestea acești aceștia acolo acum ai al ale am ar are
            așa asta astfel au avea avem ca care când câte ce cel cea cei cele cine cu cum că da dacă dar de deci din
            doar după ea ei el ele era este eu fi fie fost îi îl în își la le lor lui mai mea mei mele meu mi mie nu
            noi o or ori pe pentru prin sa sau să se sunt său te tu un una unde unei unor unui va voi vor",
    },
    FunctionWords {
        code: "el",
        words: "αν αλλά από αυτά αυτές αυτή αυτό αυτοί αυτός για γιατί δε δεν εγώ είμαι είναι είχε ένα ένας εμείς εσύ
            έχει έχω η ήταν θα και κατά κι με μετά μέχρι μη μην μια μου μας να ο οι όπως όταν ό,τι πάνω ποια ποιος πολύ
            που πού πρέπει προς πως πώς σας σε σου στα στη στην στις στο στον στους τα τη την της τι τις το τον του
            τους των ως",
    },
    FunctionWords {
        code: "ar",
        words: "إلى أن أنا أنت أو أي أين إن إذا التي الذي الذين الى ان او بعد بها به بين تلك ثم حتى حيث ذلك عن عند على
            في فيها فيه قبل قد كان كانت كما كل كيف لا لكن لم لماذا له لها لهم لي ليس ما ماذا متى مع من منذ منه منها نحن
            هذا هذه هل هم هناك هنا هو هي و يا",
    },
    FunctionWords {
        code: "ta",
        words: "அது அதன் அந்த அவர் அவர்கள் அவள் அவன் இது இதன் இந்த இல்லை இவர் உள்ள உன் என் என்ன என்று எப்படி எப்போது
            எங்கே ஒரு ஏன் தான் நாங்கள் நான் நீ நீங்கள் மற்றும் யார் வேண்டும்",
    },
];
