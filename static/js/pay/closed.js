// The provider's window was closed: goes on by itself; without script there is the button.
document.getElementById("closed").requestSubmit();
